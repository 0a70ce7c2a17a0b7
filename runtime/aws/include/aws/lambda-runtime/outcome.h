// A result or what went wrong instead.
#pragma once

#include <new>
#include <utility>

namespace aws {
namespace lambda_runtime {

// The two types differ. Asking for the one that is not there is a mistake of the caller.
template <typename TResult, typename TFailure>
class outcome {
 public:
  outcome(TResult const& result) : success_(true) { new (&result_) TResult(result); }
  outcome(TResult&& result) : success_(true) { new (&result_) TResult(std::move(result)); }
  outcome(TFailure const& failure) : success_(false) { new (&failure_) TFailure(failure); }
  outcome(TFailure&& failure) : success_(false) { new (&failure_) TFailure(std::move(failure)); }
  outcome(outcome const& other) : success_(other.success_) { fill(other); }
  outcome(outcome&& other) noexcept : success_(other.success_) { fill(std::move(other)); }
  ~outcome() { clear(); }

  outcome& operator=(outcome const& other) {
    if (this != &other) {
      outcome copy(other);
      *this = std::move(copy);
    }
    return *this;
  }
  outcome& operator=(outcome&& other) noexcept {
    if (this != &other) {
      clear();
      success_ = other.success_;
      fill(std::move(other));
    }
    return *this;
  }

  bool is_success() const { return success_; }
  TResult const& get_result() const& { return result_; }
  TResult&& get_result() && { return std::move(result_); }
  TFailure const& get_failure() const& { return failure_; }
  TFailure&& get_failure() && { return std::move(failure_); }

 private:
  void fill(outcome const& other) {
    if (success_) {
      new (&result_) TResult(other.result_);
    } else {
      new (&failure_) TFailure(other.failure_);
    }
  }
  void fill(outcome&& other) {
    if (success_) {
      new (&result_) TResult(std::move(other.result_));
    } else {
      new (&failure_) TFailure(std::move(other.failure_));
    }
  }
  void clear() {
    if (success_) {
      result_.~TResult();
    } else {
      failure_.~TFailure();
    }
  }

  union {
    TResult result_;
    TFailure failure_;
  };
  bool success_;
};

}  // namespace lambda_runtime
}  // namespace aws
