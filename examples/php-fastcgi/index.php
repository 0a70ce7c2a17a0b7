<?php
// A page as any other: events that are no HTTP requests are POSTed to /events, and a status of 400 or more is an error.

declare(strict_types=1);

function answer(array $event): array
{
    static $calls = 0;
    $context = json_decode($_SERVER['HTTP_X_AMZN_LAMBDA_CONTEXT'], true);
    return match (true) {
        isset($event['name']) => ['message' => "Hello, {$event['name']}!"],
        isset($event['fail']) => throw new DomainException($event['fail']),
        isset($event['context']) => ['request_id' => $context['request_id']],
        isset($event['count']) => ['count' => ++$calls],
        default => $event,
    };
}

header('Content-Type: application/json');
try {
    echo json_encode(answer(json_decode(file_get_contents('php://input'), true)));
} catch (DomainException $failure) {
    http_response_code(422);
    echo json_encode($failure->getMessage());
}
