// For whom a request was signed. Ogni checks no signature, but a signature says which service and region the client means.
#pragma once

#include <optional>
#include <string>

#include "protocol/arn.h"
#include "service/http/message.h"

namespace ogni::service {

struct SignatureScope {
  std::string region;  // "" where the signature is for several regions (SigV4A)
  std::string service;
};

// From the Authorization header, else from the query parameter X-Amz-Credential of a link. Nothing for a request that
// carries no signature of AWS's version 4, or one that cannot be read.
std::optional<SignatureScope> signature_scope(const http::Request& request);

// The answer to a request that means another service or another region, in the format of that service; nothing for one
// that may be for Lambda in this region.
std::optional<http::Response> refuse_other_service(const http::Request& request, const protocol::Home& home);

}  // namespace ogni::service
