#include "service/functions.h"

#include <gtest/gtest.h>

#include <boost/asio/use_future.hpp>
#include <thread>

#include "base/temporary_directory.h"
#include "service/http/testing.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;

class FunctionsTest : public ::testing::Test {
 protected:
  ~FunctionsTest() override {
    workers_.join();
    loop_.join();
  }
  template <typename T>
  T wait(asio::awaitable<T> work) {
    return asio::co_spawn(loop_.loop(), std::move(work), asio::use_future).get();
  }
  Result<FunctionPointer> create(const std::string& name) {
    return wait(functions_.commit([name](catalogue::Catalogue& catalogue) {
      return catalogue.create_function(name, {},
                                       {.sha256_hex = std::string(64, 'a'), .zip_bytes = 1, .unzipped_bytes = 1}, {});
    }));
  }
  Result<FunctionPointer> complete(std::uint64_t instance) {
    return wait(functions_.commit(
        [instance](catalogue::Catalogue& catalogue) { return catalogue.complete_function(instance); }));
  }

  TemporaryDirectory directory_;
  http::testing::LoopThread loop_;
  Workers workers_;
  std::unique_ptr<catalogue::Catalogue> catalogue_ = catalogue::Catalogue::open(directory_.descriptor()).value();
  Functions functions_{*catalogue_, workers_, 2};
};

TEST_F(FunctionsTest, KnowsACommitAtOnceAndReadsWhatItDoesNotKnow) {
  const FunctionPointer created = create("a").value();
  EXPECT_EQ(functions_.cached("a")->latest, created);
  EXPECT_EQ(functions_.cached("a")->invocable, nullptr);
  complete(created->instance).value();
  EXPECT_EQ(functions_.cached("a")->invocable, functions_.cached("a")->latest);

  Functions other(*catalogue_, workers_, 2);
  EXPECT_EQ(other.cached("a"), nullptr);
  EXPECT_EQ(wait(other.find("a"))->latest->instance, created->instance);
  EXPECT_NE(other.cached("a"), nullptr);
  EXPECT_EQ(wait(other.find("nope")).error().code(), ErrorCode::kNotFound);
}

TEST_F(FunctionsTest, InvokesTheOldGenerationUntilAnUpdateIsComplete) {
  const std::uint64_t instance = create("a").value()->instance;
  const FunctionPointer active = complete(instance).value();
  const FunctionPointer updated = wait(functions_.commit([](catalogue::Catalogue& catalogue) {
                                    return catalogue.update_settings("a", {.memory_mb = 256}, "");
                                  })).value();

  EXPECT_EQ(functions_.cached("a")->latest, updated);
  EXPECT_EQ(functions_.cached("a")->invocable, active);
  const FunctionPointer done = complete(instance).value();
  EXPECT_EQ(functions_.cached("a")->invocable, done);
  EXPECT_EQ(done->settings.memory_mb, 256);
}

TEST_F(FunctionsTest, ForgetsTheLeastRecentlyUsedAndTheDeleted) {
  for (const char* name : {"a", "b"}) complete(create(name).value()->instance).value();
  EXPECT_NE(functions_.cached("a"), nullptr);
  create("c").value();

  EXPECT_EQ(functions_.size(), 2U);
  EXPECT_EQ(functions_.cached("b"), nullptr);
  EXPECT_NE(functions_.cached("a"), nullptr);
  EXPECT_TRUE(wait(functions_.remove("a")));
  EXPECT_EQ(functions_.cached("a"), nullptr);
  EXPECT_EQ(wait(functions_.find("a")).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(wait(functions_.remove("a")).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(wait(functions_.find("b"))->latest->name, "b");
}

TEST_F(FunctionsTest, NeverGoesBackWhenLookupsRaceWithCommits) {
  const std::uint64_t instance = create("a").value()->instance;
  complete(instance).value();
  std::vector<std::future<Result<Functions::Known>>> lookups;
  for (int i = 0; i < 50; ++i) {
    // Forgotten, so that the lookups go to the catalogue between the commits.
    complete(create("x" + std::to_string(i)).value()->instance).value();
    complete(create("y" + std::to_string(i)).value()->instance).value();
    lookups.push_back(asio::co_spawn(loop_.loop(), functions_.find("a"), asio::use_future));
    const FunctionPointer updated = wait(functions_.commit([i](catalogue::Catalogue& catalogue) {
                                      return catalogue.update_settings("a", {.memory_mb = 128 + i}, "");
                                    })).value();
    lookups.push_back(asio::co_spawn(loop_.loop(), functions_.find("a"), asio::use_future));
    EXPECT_EQ(complete(instance).value()->generation, updated->generation);
    EXPECT_EQ(loop_.run([this] { return functions_.cached("a")->latest->settings.memory_mb; }), 128 + i);
  }
  for (auto& lookup : lookups) EXPECT_TRUE(lookup.get());
}

TEST(Workers, RefusesMoreThanItsQueueHoldsAndCatchesThrows) {
  http::testing::LoopThread loop;
  Workers workers({.pool_threads = 1, .catalogue_waiting_max = 1, .pool_waiting_max = 1});
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  auto first = asio::co_spawn(loop.loop(), workers.on_pool([opened]() -> Result<int> {
    opened.wait();
    return 1;
  }),
                              asio::use_future);
  auto second = asio::co_spawn(loop.loop(), workers.on_pool([]() -> Result<int> { return 2; }), asio::use_future);

  EXPECT_EQ(second.get().error().code(), ErrorCode::kUnavailable);
  gate.set_value();
  EXPECT_EQ(first.get().value(), 1);
  auto third = asio::co_spawn(loop.loop(), workers.on_pool([]() -> Result<int> { throw std::runtime_error("bug"); }),
                              asio::use_future);
  EXPECT_EQ(third.get().error().code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace ogni::service
