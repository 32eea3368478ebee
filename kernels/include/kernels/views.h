// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Arrays without owners: a pointer, sizes and strides in elements. Views are made after every size was checked.
namespace natscope::kernels {

template <class T, int Rank>
struct View {
  T* data = nullptr;
  std::array<std::int64_t, Rank> sizes{};
  std::array<std::int64_t, Rank> strides{};

  /// Row-major and without gaps.
  static constexpr View packed(T* data, std::array<std::int64_t, Rank> sizes) {
    View view{data, sizes, {}};
    std::int64_t step = 1;
    for (int axis = Rank - 1; axis >= 0; --axis) {
      view.strides[static_cast<std::size_t>(axis)] = step;
      step *= sizes[static_cast<std::size_t>(axis)];
    }
    return view;
  }

  [[nodiscard]] constexpr std::int64_t size(int axis) const { return sizes[static_cast<std::size_t>(axis)]; }
  [[nodiscard]] constexpr std::int64_t stride(int axis) const { return strides[static_cast<std::size_t>(axis)]; }

  template <class... Index>
  [[nodiscard]] constexpr T& operator()(Index... index) const {
    static_assert(sizeof...(Index) == Rank);
    const std::array<std::int64_t, Rank> at{static_cast<std::int64_t>(index)...};
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < Rank; ++axis) offset += at[axis] * strides[axis];
    return data[offset];
  }

  /// A template, since nvcc warns of a conversion to the view's own type even where `requires` rules it out.
  template <class Same = T>
  requires(!std::is_const_v<Same>) constexpr operator View<const Same, Rank>() const { return {data, sizes, strides}; }
};

template <class T, int Rank>
using ConstView = View<const T, Rank>;

}  // namespace natscope::kernels
