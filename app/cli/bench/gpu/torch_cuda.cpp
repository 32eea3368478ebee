// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/torch_cuda.h"

#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "app/cli/bench/benchmark.h"
#include "core/device/torch_cuda.h"
#include "core/device/torch_errors.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t flush_bytes = 256LL << 20U;  // far over the L2 cache of any GPU so far

void wait_for_device() { at::detail::getCUDAHooks().deviceSynchronize(0); }

at::TensorOptions bf16_on_device() { return at::TensorOptions(at::kBFloat16).device(at::kCUDA); }

/// `run` was made ready; what it throws becomes an error.
TorchWork timed(std::function<void()> run) {
  const at::Tensor flush = at::empty({flush_bytes}, at::TensorOptions(at::kByte).device(at::kCUDA));
  return [run = std::move(run), flush]() -> Expected<double> {
    try {
      const c10::InferenceMode no_gradients;
      // On the device's clock, as our own kernels are; the flush keeps it busy until the work has been handed over.
      const c10::Stream stream = c10::impl::VirtualGuardImpl(at::kCUDA).getStream(flush.device());
      c10::Event begun(at::kCUDA, c10::EventFlag::BACKEND_DEFAULT), ended(at::kCUDA, c10::EventFlag::BACKEND_DEFAULT);
      flush.fill_(1);
      begun.record(stream);
      run();
      ended.record(stream);
      wait_for_device();
      return begun.elapsedTime(ended) / 1e3;
    } catch (const std::exception& problem) {
      return from_torch(problem);
    }
  };
}

Expected<TorchWork> guarded_work(const std::function<TorchWork()>& make) {
  try {
    const c10::InferenceMode no_gradients;
    return make();
  } catch (const std::exception& problem) {
    return from_torch(problem);
  }
}

}  // namespace

Expected<TorchCuda> TorchCuda::open() {
  NATSCOPE_CHECK(load_torch_cuda());
  return TorchCuda{};
}

Expected<TorchWork> TorchCuda::product(std::int64_t size) const {
  return guarded_work([&] {
    const at::Tensor a = at::randn({size, size}, bf16_on_device());
    const at::Tensor b = at::randn({size, size}, bf16_on_device());
    at::Tensor out = at::empty({size, size}, bf16_on_device());
    return timed([a, b, out]() mutable { at::mm_out(out, a, b); });
  });
}

Expected<TorchWork> TorchCuda::flash_forward(std::int64_t heads, std::int64_t tokens, std::int64_t head_dim) const {
  return guarded_work([&] {
    const auto random = [&] { return at::randn({1, heads, tokens, head_dim}, bf16_on_device()); };
    return timed([q = random(), k = random(), v = random()] {
      at::_scaled_dot_product_flash_attention(q, k, v, 0.0, true, false);
    });
  });
}

Expected<TorchWork> TorchCuda::flash_backward(std::int64_t heads, std::int64_t tokens, std::int64_t head_dim) const {
  return guarded_work([&] {
    const auto random = [&] { return at::randn({1, heads, tokens, head_dim}, bf16_on_device()); };
    const at::Tensor q = random(), k = random(), v = random(), d_out = random();
    const auto forward = at::_scaled_dot_product_flash_attention(q, k, v, 0.0, true, false);
    return timed([q, k, v, d_out, forward] {
      const auto& [out, lse, cum_q, cum_k, max_q, max_k, rng_state, unused, debug_mask] = forward;
      at::_scaled_dot_product_flash_attention_backward(
          d_out, q, k, v, out, lse, cum_q, cum_k, max_q.guard_int(__FILE__, __LINE__),
          max_k.guard_int(__FILE__, __LINE__), 0.0, true, rng_state, unused);
    });
  });
}

void TorchCuda::wait() const { wait_for_device(); }
void TorchCuda::release_memory() const { release_torch_memory(); }

std::int64_t TorchCuda::peak_bytes() const {
  const auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(0);
  return stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

void TorchCuda::forget_peak() const { c10::getDeviceAllocator(at::kCUDA)->resetPeakStats(0); }

}  // namespace natscope::bench
