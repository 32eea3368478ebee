// SPDX-License-Identifier: GPL-3.0-or-later
/// Engines on a device made of ordinary memory (modules/host_device.cpp), and how they are held to the CPU's.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/shared_library.h"
#include "tests/core/engine/engine_run.h"
#include "tests/core/engine/modules/host_device.h"
#include "tests/support/warnings.h"

namespace natscope::test {

/// A variable of the environment as long as this lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

[[nodiscard]] inline EngineOptions on_device(kernels::ElementType dtype = kernels::ElementType::f32) {
  return {.device = Device::cuda, .dtype = dtype, .trace_store_bytes = 1 << 20, .device_module = host_device_module};
}

/// Largest difference over the largest true number; NaN where any is.
[[nodiscard]] inline double difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  double scale = 1e-30;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(apart <= largest)) largest = apart;  // NaN counts
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return largest / scale;
}

/// Tokens, roles, entries and counts of two engines are the same; probabilities nearly.
inline void check_same_record(const Engine& found, const Engine& truth) {
  REQUIRE(found.record().size() == truth.record().size());
  for (std::size_t i = 0; i < truth.record().frames().size(); ++i) {
    const TokenFrame& a = found.record().frames()[i];
    const TokenFrame& b = truth.record().frames()[i];
    CHECK(a.token == b.token);
    CHECK(a.generated == b.generated);
    CHECK(a.probability == doctest::Approx(b.probability).epsilon(1e-3));
    CHECK(a.entries == b.entries);
    CHECK(a.evicted == b.evicted);
  }
  for (std::int32_t layer = 0; layer < truth.geometry().layers; ++layer) {
    for (std::int32_t head = 0; head < truth.geometry().kv_heads; ++head) {
      const auto a = found.record().roles(LayerId(layer), KvHeadId(head));
      const auto b = truth.record().roles(LayerId(layer), KvHeadId(head));
      CHECK(std::vector<Role>(a.begin(), a.end()) == std::vector<Role>(b.begin(), b.end()));
    }
  }
  CHECK(found.counts().entries == truth.counts().entries);
  CHECK(found.counts().allocated_bytes == truth.counts().allocated_bytes);
}

/// A counter of the host device's module: the one that the engine opens, since the system's loader knows it by its
/// file.
class Counter {
 public:
  explicit Counter(const char* name)
      : read_(value_of(value_of(SharedLibrary::open(host_device_module)).function<std::int64_t()>(name))) {}
  [[nodiscard]] std::int64_t operator()() const { return read_(); }

 private:
  std::int64_t (*read_)();
};

}  // namespace natscope::test
