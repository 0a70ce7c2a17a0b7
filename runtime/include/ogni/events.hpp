// AWS's events as plain structs, one header per service:
//
//   #include <ogni/events.hpp>
//   using namespace ogni::events;
//
//   int main() {
//     return ogni::run(handler([](const SqsEvent& event) {
//       SqsBatchResponse response;
//       for (const SqsMessage& message : event.records)
//         if (!work(message.body)) response.add_failure(message.message_id);
//       return response;
//     }));
//   }
//
// What is missing or null is empty, bodies that came as base64 are decoded, numbers keep their digits, and what has no
// member here is kept in `other` and written again. Target ogni::events; C++20, standard library only.
#pragma once

#include "ogni/events/alb.hpp"
#include "ogni/events/api_gateway.hpp"
#include "ogni/events/core.hpp"
#include "ogni/events/dynamodb.hpp"
#include "ogni/events/eventbridge.hpp"
#include "ogni/events/iot.hpp"
#include "ogni/events/kinesis.hpp"
#include "ogni/events/s3.hpp"
#include "ogni/events/sns.hpp"
#include "ogni/events/sqs.hpp"
#include "ogni/json.hpp"
