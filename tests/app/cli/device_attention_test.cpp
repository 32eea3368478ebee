// SPDX-License-Identifier: GPL-3.0-or-later
// `kernel --backend cuda` on a device made of ordinary memory, which refuses what was not copied to it.
#include "app/cli/commands/device_attention.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tests/core/engine/modules/host_device.h"

namespace natscope {
namespace {

using kernels::Backend;
using kernels::ConstView;
using kernels::View;

constexpr std::int64_t heads = 4, kv_heads = 2, tokens = 9, head_dim = 8;

struct Arrays {
  std::vector<float> q = std::vector<float>(heads * tokens * head_dim),
                     k = std::vector<float>(kv_heads * tokens * head_dim), v = k, d_out = q, out = q,
                     lse = std::vector<float>(heads * tokens), dq = q, dk = k, dv = k,
                     d_roles = std::vector<float>(kv_heads * tokens * 3);
  std::vector<Role> roles = std::vector<Role>(kv_heads * tokens, Role::sliding);

  Arrays() {
    float number = 0;
    for (auto* const array : {&q, &k, &v, &d_out}) {
      for (float& value : *array) value = std::sin(number += 0.7F);
    }
    for (std::size_t i = 0; i < roles.size(); i += 3) roles[i] = i % 2 == 0 ? Role::global : Role::local;
  }

  static View<float, 4> of(std::vector<float>& array, std::int64_t number) {
    return View<float, 4>::packed(array.data(), {1, number, tokens, head_dim});
  }
  View<float, 3> lse_view() { return View<float, 3>::packed(lse.data(), {1, heads, tokens}); }
  View<float, 4> d_roles_view() { return View<float, 4>::packed(d_roles.data(), {1, kv_heads, tokens, 3}); }
  kernels::AttentionTrainInputs inputs(std::int64_t window) {
    return {of(q, heads), of(k, kv_heads), of(v, kv_heads),
            ConstView<Role, 3>::packed(roles.data(), {1, kv_heads, tokens}), window};
  }
};

Expected<DeviceAttention> host_device() { return DeviceAttention::open(test::host_device_module); }

}  // namespace

TEST_CASE("attention of a device equals the host's, copies and all") {
  for (const std::int64_t window : {0, 3, 1000}) {
    CAPTURE(window);
    Arrays here, there;
    REQUIRE(kernels::attention_train_forward(Backend::cpu, here.inputs(window), Arrays::of(here.out, heads),
                                             here.lse_view())
                .ok());
    REQUIRE(kernels::attention_train_backward(Backend::cpu, here.inputs(window), Arrays::of(here.out, heads),
                                              here.lse_view(), Arrays::of(here.d_out, heads), 0.5,
                                              Arrays::of(here.dq, heads), Arrays::of(here.dk, kv_heads),
                                              Arrays::of(here.dv, kv_heads), here.d_roles_view())
                .ok());
    const auto device = host_device();
    REQUIRE(device);
    REQUIRE(device->forward(there.inputs(window), Arrays::of(there.out, heads), there.lse_view()));
    REQUIRE(device->backward(there.inputs(window), Arrays::of(there.out, heads), there.lse_view(),
                             Arrays::of(there.d_out, heads), 0.5, Arrays::of(there.dq, heads),
                             Arrays::of(there.dk, kv_heads), Arrays::of(there.dv, kv_heads), there.d_roles_view()));
    CHECK(there.out == here.out);
    CHECK(there.lse == here.lse);
    CHECK(there.dq == here.dq);
    CHECK(there.dk == here.dk);
    CHECK(there.dv == here.dv);
    CHECK(there.d_roles == here.d_roles);
  }
}

TEST_CASE("nothing is computed of nothing, and a module that is not there is named") {
  const auto device = host_device();
  REQUIRE(device);
  Arrays arrays;
  kernels::AttentionTrainInputs none = arrays.inputs(1);
  none.q.sizes[2] = 0;
  CHECK(device->forward(none, Arrays::of(arrays.out, heads), arrays.lse_view()));
  CHECK(DeviceAttention::open("/nowhere/module.so").error().code == ErrorCode::device_unavailable);
}

}  // namespace natscope
