<?php
// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.

declare(strict_types=1);

function handler(array $event, Lambda\Context $context): array
{
    static $calls = 0;
    return match (true) {
        isset($event['name']) => ['message' => "Hello, {$event['name']}!"],
        isset($event['fail']) => throw new DomainException($event['fail']),
        isset($event['context']) => ['request_id' => $context->awsRequestId],
        isset($event['count']) => ['count' => ++$calls],
        default => $event,
    };
}
