// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/torch_cuda.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>

#include <tuple>

#include "app/cli/bench/benchmark.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t flush_bytes = 256LL << 20U;  // far over the L2 cache of any GPU so far

void wait_for_device() { at::detail::getCUDAHooks().deviceSynchronize(0); }

at::TensorOptions bf16_on_device() { return at::TensorOptions(at::kBFloat16).device(at::kCUDA); }

Unexpected from_torch(const std::exception& problem) {
  const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&problem) != nullptr;
  const std::string text = problem.what();
  return fail(memory ? ErrorCode::out_of_memory : ErrorCode::internal, "LibTorch: " + text.substr(0, text.find('\n')));
}

/// `run` was made ready; what it throws becomes an error.
TorchWork timed(std::function<void()> run) {
  const at::Tensor flush = at::empty({flush_bytes}, at::TensorOptions(at::kByte).device(at::kCUDA));
  return [run = std::move(run), flush]() -> Expected<double> {
    try {
      const c10::InferenceMode no_gradients;
      flush.fill_(1);
      wait_for_device();
      return seconds_of([&] {
        run();
        wait_for_device();
      });
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
  // By name: beside the LibTorch that this program is linked with, as its run path says.
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* const why = dlerror();
    return fail(ErrorCode::device_unavailable,
                std::string("this LibTorch has no CUDA part: ") + (why != nullptr ? why : "libtorch_cuda.so"),
                "build with -DNATSCOPE_LIBTORCH_DIR naming a torch with CUDA");
  }
  if (!at::hasCUDA() || at::detail::getCUDAHooks().getNumGPUs() < 1)
    return fail(ErrorCode::device_unavailable, "LibTorch finds no GPU");
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

void TorchCuda::release_memory() const {
  // Through the allocator's interface: CUDA's own header is not there in a LibTorch for CPUs.
  if (auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA)))
    allocator->emptyCache();
}

}  // namespace natscope::bench
