// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/products/weight_conversion.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "core/row_math/row_math.h"

namespace natscope {

namespace {

struct PageRange {
  void* first = nullptr;
  std::size_t size_bytes = 0;
};

enum class Round : std::uint8_t { inwards, outwards };

/// The whole pages of a tensor: those that lie in it, or those that it lies in.
PageRange pages_of(const WeightView& view, Round round) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(view.data);
  const std::uintptr_t end = begin + static_cast<std::uintptr_t>(view.size_bytes());
  const auto down = [page](std::uintptr_t address) { return address / page * page; };
  const auto up = [page](std::uintptr_t address) { return (address + page - 1) / page * page; };
  const std::uintptr_t first = round == Round::inwards ? up(begin) : down(begin);
  const std::uintptr_t last = round == Round::inwards ? down(end) : up(end);
  return {reinterpret_cast<void*>(first), first < last ? last - first : 0};
}

}  // namespace

void read_weights(const WeightView& view, std::int64_t first, std::span<float> out) {
  const std::byte* const from = view.data + static_cast<std::size_t>(first) * item_bytes(view.dtype);
  switch (view.dtype) {
    case DType::f32:
      std::memcpy(out.data(), from, out.size_bytes());
      return;
    case DType::bf16:
      row_math::convert(reinterpret_cast<const kernels::Bf16*>(from), static_cast<std::int64_t>(out.size()),
                        out.data());
      return;
    default:
      row_math::convert(reinterpret_cast<const kernels::F16*>(from), static_cast<std::int64_t>(out.size()), out.data());
  }
}

std::vector<float> read_vector(const WeightView& view) {
  std::vector<float> values(view.present() ? static_cast<std::size_t>(view.elements()) : 0);
  if (!values.empty()) read_weights(view, 0, values);
  return values;
}

void ask_for_large_pages(const WeightView& view) {
  const PageRange range = pages_of(view, Round::outwards);
  if (view.mapped && range.size_bytes > 0) ::madvise(range.first, range.size_bytes, MADV_HUGEPAGE);
}

void release_mapped_pages(const WeightView& view) {
  const PageRange range = pages_of(view, Round::inwards);
  if (view.mapped && range.size_bytes > 0) ::madvise(range.first, range.size_bytes, MADV_DONTNEED);
}

}  // namespace natscope
