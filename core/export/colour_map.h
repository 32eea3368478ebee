// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/explore/run_figures.h"
#include "kernels/token_roles.h"

namespace natscope {

struct Rgb {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;

  friend constexpr bool operator==(Rgb, Rgb) = default;
};

enum class Theme : std::uint8_t { light, dark };

/// Perceptually uniform maps of 256 colours, dark to bright. Source: matplotlib (CC0), see colour_tables.cpp.
enum class ColourMap : std::uint8_t { viridis, magma, cividis };
[[nodiscard]] const char* name(ColourMap map);
[[nodiscard]] std::optional<ColourMap> colour_map(std::string_view name);
[[nodiscard]] std::span<const Rgb, 256> colours(ColourMap map);

/// The colour of a place 0 … 1, clamped.
[[nodiscard]] Rgb colour_at(ColourMap map, float place);

/// What masked cells have: a grey that no map contains, one a theme.
[[nodiscard]] Rgb masked_colour(Theme theme);

/// Global orange, local bluish green, sliding blue: hues as Okabe and Ito's (Color Universal Design, 2008) in steps of
/// lightness, so that a grey print and every kind of colour sight tell them apart. The longer a role is kept, the more
/// it stands out from the paper, and what is masked less than all: on dark paper the steps go the other way.
[[nodiscard]] Rgb role_colour(Role role, Theme theme);
/// What is written on a colour: black or white, whichever has more contrast with it (WCAG 2.1, 1.4.3).
[[nodiscard]] Rgb ink_on(Rgb ground);
/// How much of its role's colour a dropped token keeps; the rest is the paper. Dark paper asks for more: there the
/// three pale colours lie closer together.
[[nodiscard]] double faded_share(Theme theme);
/// Where a policy has no roles (has_roles): what is held, and what was dropped. Greys: no role's colour.
[[nodiscard]] Rgb held_colour(Theme theme, bool is_dropped);
/// Where two caches are compared: by both, by one alone, or by neither. Hues that no role has, and greys; in steps of
/// lightness, too: the further from the paper, the more there is to see.
[[nodiscard]] Rgb held_by_colour(HeldBy by, Theme theme);
[[nodiscard]] const char* role_name(Role role);  ///< "global", "local", "sliding"

}  // namespace natscope
