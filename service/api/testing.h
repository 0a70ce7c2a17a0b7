// For tests: the whole API over a real server, with a real catalogue in a temporary directory, and an invoker that
// answers as the test says.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/temporary_directory.h"
#include "catalogue/test_zip.h"
#include "protocol/limits.h"
#include "service/api/api.h"
#include "service/http/testing.h"

namespace ogni::service::testing {

namespace json = boost::json;
using http::testing::Client;
using http::testing::Reply;

// Runs on the reactor; tests read its records with LoopThread::run.
class ScriptedInvoker final : public Invoker {
 public:
  std::function<InvokeAnswer(const InvokeRequest&)> script = [](const InvokeRequest& request) {
    InvokeAnswer answer;
    answer.payload = request.payload;
    return answer;
  };
  std::vector<InvokeRequest> requests;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> retired_older;
  std::vector<std::uint64_t> retired_all;

  boost::asio::awaitable<InvokeAnswer> invoke(InvokeRequest request) override {
    InvokeAnswer answer = script(request);
    requests.push_back(std::move(request));
    co_return answer;
  }
  void retire_older(std::uint64_t instance, std::uint64_t generation) override {
    retired_older.emplace_back(instance, generation);
  }
  void retire_all(std::uint64_t instance) override { retired_all.push_back(instance); }
};

inline std::string make_zip(std::string content = "#!/bin/sh\n") {
  return catalogue::TestZip({{.name = "bootstrap", .content = std::move(content), .mode = 0100755}}).bytes();
}

class ApiTest : public ::testing::Test {
 protected:
  ~ApiTest() override {
    if (server_) loop_.run([this] { server_.reset(); });
    workers_.join();
    loop_.join();
  }

  void start(ApiSettings settings = {}) {
    catalogue_ = catalogue::Catalogue::open(directory_.descriptor()).value();
    store_ = catalogue::CodeStore::open(directory_.descriptor(),
                                        {.unzipped_bytes_max = protocol::limits::kUnzippedBytesMax - 1,
                                         .entries_max = protocol::limits::kZipEntriesMax})
                 .value();
    functions_ = std::make_unique<Functions>(*catalogue_, workers_);
    api_ = std::make_unique<Api>(Api::Parts{.executor = loop_.loop().get_executor(),
                                            .catalogue = *catalogue_,
                                            .code_store = *store_,
                                            .workers = workers_,
                                            .functions = *functions_,
                                            .invoker = invoker_},
                                 std::move(settings));
    api_->add_routes(router_);
    Fd listener = http::listen_tcp("127.0.0.1", 0).value();
    port_ = http::port_of(listener.get()).value();
    loop_.run([&] {
      server_ = std::make_unique<http::Server>(loop_.loop().get_executor(),
                                               http::Site{.router = &router_,
                                                          .guard = http::Guard(),
                                                          .render_failure = Api::failure_renderer(),
                                                          .filter = api_->request_filter()});
      server_->serve(std::move(listener)).value();
    });
    client_ = std::make_unique<Client>(port_);
  }

  Reply call(std::string_view method, std::string_view target, std::string_view body = {},
             std::string_view headers = {}) {
    return client_->call(method, target, body, headers);
  }
  static json::object parse(const Reply& reply) {
    boost::system::error_code error;
    json::value value = json::parse(reply.body, error);
    EXPECT_TRUE(!error && value.is_object()) << reply.head << reply.body;
    return value.is_object() ? value.get_object() : json::object();
  }
  static std::string text(const json::object& object, std::string_view name) {
    const json::value* found = object.if_contains(json::string_view(name.data(), name.size()));
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
  }
  static json::object new_function(std::string_view name, const std::string& zip = make_zip()) {
    return {{"FunctionName", json::string_view(name.data(), name.size())},
            {"Runtime", "provided.al2023"},
            {"Role", "arn:aws:iam::000000000000:role/r"},
            {"Handler", "hello.handler"},
            {"Code", {{"ZipFile", to_base64(zip)}}}};
  }
  Reply create(const json::object& function) {
    return call("POST", "/2015-03-31/functions", json::serialize(function));
  }
  // Creates it and waits until it is Active.
  void create_active(std::string_view name) {
    const Reply reply = create(new_function(name));
    ASSERT_EQ(reply.status, 201) << reply.body;
    ASSERT_TRUE(becomes(name, "State", "Active"));
  }
  json::object configuration(std::string_view name) {
    return parse(call("GET", "/2015-03-31/functions/" + std::string(name) + "/configuration"));
  }
  bool becomes(std::string_view name, std::string_view member, std::string_view value) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      if (text(configuration(name), member) == value) return true;
    }
    return false;
  }
  // Status, type and message of a refusal, its shape checked on the way.
  static std::string refusal(const Reply& reply) {
    const json::object body = parse(reply);
    EXPECT_NE(reply.header("x-amzn-RequestId"), "");
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
    const std::string message = body.contains("Message") ? text(body, "Message") : text(body, "message");
    return std::to_string(reply.status) + " " + reply.header("x-amzn-ErrorType") + ": " + message;
  }

  TemporaryDirectory directory_;
  http::testing::LoopThread loop_;
  Workers workers_;
  std::unique_ptr<catalogue::Catalogue> catalogue_;
  std::unique_ptr<catalogue::CodeStore> store_;
  std::unique_ptr<Functions> functions_;
  ScriptedInvoker invoker_;
  std::unique_ptr<Api> api_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Client> client_;
};

}  // namespace ogni::service::testing
