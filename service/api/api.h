// The Lambda REST API: operations on functions and layers, and Invoke.
//
// Everything here runs on the reactor; the catalogue and the code store are reached through Workers. The parts outlive
// the Api, and the Api outlives the server that serves its routes.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <expected>
#include <functional>
#include <map>
#include <string>

#include "catalogue/catalogue.h"
#include "catalogue/code_store.h"
#include "service/api/code_links.h"
#include "service/api/errors.h"
#include "service/api/model.h"
#include "service/api/names.h"
#include "service/api/settings.h"
#include "service/functions.h"
#include "service/http/router.h"
#include "service/invocation/invoker.h"
#include "service/workers.h"

namespace ogni::service {

class Api {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    catalogue::Catalogue& catalogue;
    catalogue::CodeStore& code_store;
    Workers& workers;
    Functions& functions;
    Invoker& invoker;
  };
  Api(Parts parts, ApiSettings settings);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Every operation of the API model, and the download of zips. Once.
  void add_routes(http::Router& router);
  // For http::Site.
  static http::FailureRenderer failure_renderer();
  http::RequestFilter request_filter() const;

 private:
  using Answer = ApiResult<http::Response>;
  using Operation = boost::asio::awaitable<Answer> (Api::*)(http::Request&);
  void add(http::Router& router, http::Method method, std::string_view path, std::string_view query,
           std::string_view name, std::size_t body_max, Operation operation);
  boost::asio::awaitable<http::Response> answer(http::Request& request, std::string_view name, Operation operation);

  // create_function.cpp
  boost::asio::awaitable<Answer> create_function(http::Request& request);
  // update_function.cpp
  boost::asio::awaitable<Answer> update_function_code(http::Request& request);
  boost::asio::awaitable<Answer> update_function_configuration(http::Request& request);
  boost::asio::awaitable<Answer> delete_function(http::Request& request);
  // read_functions.cpp
  boost::asio::awaitable<Answer> get_function(http::Request& request);
  boost::asio::awaitable<Answer> get_function_configuration(http::Request& request);
  boost::asio::awaitable<Answer> list_functions(http::Request& request);
  boost::asio::awaitable<Answer> get_account_settings(http::Request& request);
  // layers.cpp
  boost::asio::awaitable<Answer> publish_layer_version(http::Request& request);
  boost::asio::awaitable<Answer> get_layer_version(http::Request& request);
  boost::asio::awaitable<Answer> get_layer_version_by_arn(http::Request& request);
  boost::asio::awaitable<Answer> list_layers(http::Request& request);
  boost::asio::awaitable<Answer> list_layer_versions(http::Request& request);
  boost::asio::awaitable<Answer> delete_layer_version(http::Request& request);
  boost::asio::awaitable<Answer> answer_layer_version(http::Request& request, std::string layer, long long version);
  // tags.cpp
  using Tags = std::map<std::string, std::string>;
  boost::asio::awaitable<Answer> list_tags(http::Request& request);
  boost::asio::awaitable<Answer> tag_resource(http::Request& request);
  boost::asio::awaitable<Answer> untag_resource(http::Request& request);
  boost::asio::awaitable<Answer> change_tags(FunctionTarget target, std::function<void(Tags&)> change);
  // invoke.cpp
  boost::asio::awaitable<http::Response> invoke(http::Request& request);
  boost::asio::awaitable<Answer> invoke(http::Request& request, std::string& request_id);
  // download.cpp
  boost::asio::awaitable<Answer> download_code(http::Request& request);

  // --- what operations share (shared.cpp) ---
  // The body, checked against a shape; large ones are parsed on the pool. Takes the request's body.
  boost::asio::awaitable<ApiResult<boost::json::object>> read_body(http::Request& request, const Shape& shape);
  ApiResult<FunctionTarget> target_of(const http::Request& request,
                                      protocol::NameForm form = protocol::NameForm::kNamespaced) const;
  // The function that a request names, $LATEST being the only version there is.
  boost::asio::awaitable<ApiResult<Functions::Known>> find_function(FunctionTarget target);
  // Deletes a function, whose environments end before. Errors: those of Functions::remove.
  boost::asio::awaitable<Result<catalogue::Function>> remove_making_room(const std::string& name);
  // The zip in member ZipFile of `code`, in the code store.
  boost::asio::awaitable<ApiResult<catalogue::CodeReference>> store_code(boost::json::object code);
  // Pending → Active, or InProgress → Successful, in the background.
  void activate(FunctionPointer function);
  boost::asio::awaitable<void> complete(FunctionPointer function);
  std::string code_link(const http::Request& request, const catalogue::CodeReference& code) const;
  ApiError commit_error(const Error& error, const FunctionTarget& target, std::string_view doing) const;

  Parts parts_;
  ApiSettings settings_;
  CodeLinks links_;
};

}  // namespace ogni::service
