// The shapes of the API model that requests are checked against. Source: botocore's service-2.json for Lambda.
#pragma once

#include "service/api/model.h"

namespace ogni::service::shapes {

extern const Shape kCreateFunction;
extern const Shape kUpdateFunctionConfiguration;
extern const Shape kUpdateFunctionCode;
extern const Shape kPublishLayerVersion;
extern const Shape kTagResource;

// Labels, query parameters and headers.
extern const Shape kFunctionName;            // of a function that is made or changed
extern const Shape kNamespacedFunctionName;  // of every other operation
extern const Shape kQualifier;
extern const Shape kLayerName;
extern const Shape kLayerVersionArn;
extern const Shape kLayerRuntime;
extern const Shape kArchitecture;
extern const Shape kPageSize;           // 1–50
extern const Shape kFunctionsPageSize;  // 1–10,000
extern const Shape kFunctionVersion;
extern const Shape kMasterRegion;
extern const Shape kInvocationType;
extern const Shape kLogType;
extern const Shape kTaggableResource;

}  // namespace ogni::service::shapes
