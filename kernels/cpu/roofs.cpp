// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/roofs.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/cpu/simd_targets.h"
#include "kernels/shared_work.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/roofs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// A sum that cannot be skipped: eight loads in flight, nothing else to do.
std::int64_t sum_words(const std::int64_t* words, std::int64_t begin, std::int64_t end) {
  const hn::ScalableTag<std::int64_t> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  std::int64_t index = begin;
  for (; index + 4 * lanes <= end; index += 4 * lanes) {
    sum0 = hn::Add(sum0, hn::LoadU(d, words + index));
    sum1 = hn::Add(sum1, hn::LoadU(d, words + index + lanes));
    sum2 = hn::Add(sum2, hn::LoadU(d, words + index + 2 * lanes));
    sum3 = hn::Add(sum3, hn::LoadU(d, words + index + 3 * lanes));
  }
  std::int64_t sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; index < end; ++index) sum += words[index];
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels {

namespace cpu {

HWY_EXPORT(sum_words);

}  // namespace cpu

double measure_read_bandwidth(std::int64_t bytes, int threads, int passes) {
  constexpr std::int64_t page_bytes = 2 << 20;  // large pages: a roof is not the cost of looking addresses up
  constexpr double worth_all_threads = 1e9;
  constexpr std::int64_t page_words = page_bytes / 8;
  const std::int64_t pages = bytes / page_bytes;
  if (pages < 1 || threads < 1 || passes < 1) return 0;
  struct Free {
    void operator()(std::int64_t* words) const { std::free(words); }
  };
  const std::unique_ptr<std::int64_t, Free> buffer(static_cast<std::int64_t*>(
      std::aligned_alloc(static_cast<std::size_t>(page_bytes), static_cast<std::size_t>(pages * page_bytes))));
  if (buffer == nullptr) return 0;
  std::int64_t* words = buffer.get();
  // Refused where the system has none; the figure is then that of small pages.
  madvise(words, static_cast<std::size_t>(pages * page_bytes), MADV_HUGEPAGE);

  const int threads_before = max_threads();
  set_threads(threads);
  // Written first: pages that nobody wrote are all the same page of zeros.
  share_work(pages * page_words, 64 * page_words, worth_all_threads, [&](int, std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin; index < end; ++index) words[index] = index & 7;
  });
  const auto sum = HWY_DYNAMIC_DISPATCH(cpu::sum_words);
  std::vector<double> rates;
  std::atomic<std::int64_t> total{0};
  for (int pass = 0; pass < passes; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    share_work(pages * page_words, 64 * page_words, worth_all_threads,
               [&](int, std::int64_t begin, std::int64_t end) { total += sum(words, begin, end); });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    rates.push_back(static_cast<double>(pages * page_bytes) / took.count());
  }
  set_threads(threads_before);
  std::nth_element(rates.begin(), rates.begin() + passes / 2, rates.end());
  return total.load() > 0 ? rates[static_cast<std::size_t>(passes / 2)] : 0;
}

}  // namespace natscope::kernels
#endif
