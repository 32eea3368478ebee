// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// Lambdas as one callable, for std::visit: the one that fits the alternative is called.
///
///     std::visit(Overloaded{[](const Text& text) { … }, [](const auto&) {}}, node);
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace natscope
