// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/latest_value.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "core/base/cancel.h"

namespace natscope {
namespace {

TEST_CASE("only the latest value is there, once") {
  LatestValue<int> box;
  CHECK_FALSE(box.take());
  CHECK_FALSE(box.put(1));
  CHECK(box.put(2));
  CHECK(box.take() == 2);
  CHECK_FALSE(box.take());
  CHECK(box.version() == 2);
}

TEST_CASE("a stop wakes a waiting reader") {
  LatestValue<int> box;
  std::stop_source source;
  std::optional<int> got = 7;
  std::thread reader([&] { got = box.wait_and_take(source.get_token()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  source.request_stop();
  reader.join();
  CHECK_FALSE(got);
}

TEST_CASE("a fast writer's last value always arrives") {
  LatestValue<int> box;
  constexpr int last = 20000;
  std::thread writer([&] {
    for (int i = 1; i <= last; ++i) box.put(i);
  });
  int seen = 0;
  while (seen < last) {
    const auto value = box.wait_and_take({});
    REQUIRE(value);
    REQUIRE(*value > seen);
    seen = *value;
  }
  writer.join();
}

TEST_CASE("check() is an error once a stop was asked for") {
  std::stop_source source;
  CHECK(check(source.get_token()));
  source.request_stop();
  CHECK(check(source.get_token()).error().code == ErrorCode::interrupted);
}

}  // namespace
}  // namespace natscope
