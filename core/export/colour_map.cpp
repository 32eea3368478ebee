// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/colour_map.h"

#include <algorithm>
#include <cmath>

#include "core/export/colour_tables.h"

namespace natscope {
namespace {

constexpr std::array map_names{"viridis", "magma", "cividis"};

/// Of sRGB's curve.
double linear(std::uint8_t value) {
  const double v = value / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

}  // namespace

const char* name(ColourMap map) { return map_names[static_cast<std::size_t>(map)]; }

std::optional<ColourMap> colour_map(std::string_view name) {
  for (std::size_t i = 0; i < map_names.size(); ++i) {
    if (name == map_names[i]) return static_cast<ColourMap>(i);
  }
  return std::nullopt;
}

std::span<const Rgb, 256> colours(ColourMap map) {
  switch (map) {
    case ColourMap::viridis:
      return viridis_colours;
    case ColourMap::magma:
      return magma_colours;
    case ColourMap::cividis:
      return cividis_colours;
  }
  return viridis_colours;
}

Rgb colour_at(ColourMap map, float place) {
  // Written so that NaN is 0: not every comparison with it is false by chance.
  const float inside = place > 0.0F ? std::min(place, 1.0F) : 0.0F;
  return colours(map)[static_cast<std::size_t>(inside * 255.0F + 0.5F)];
}

Rgb masked_colour(Theme theme) { return theme == Theme::light ? Rgb{226, 226, 230} : Rgb{58, 58, 64}; }

Rgb role_colour(Role role, Theme theme) {
  const bool is_dark = theme == Theme::dark;
  switch (role) {
    case Role::global:
      return is_dark ? Rgb{0xff, 0xb6, 0x78} : Rgb{0x95, 0x2e, 0x00};
    case Role::local:
      return is_dark ? Rgb{0x16, 0xa8, 0x7d} : Rgb{0x0e, 0x91, 0x69};
    case Role::sliding:
      return is_dark ? Rgb{0x1c, 0x69, 0xa8} : Rgb{0x6e, 0xb7, 0xeb};
  }
  return {0, 0, 0};
}

Rgb ink_on(Rgb ground) {
  constexpr double as_far_from_both = 0.179;  // where (1 + 0.05) / (Y + 0.05) = (Y + 0.05) / 0.05
  const double luminance = 0.2126 * linear(ground.red) + 0.7152 * linear(ground.green) + 0.0722 * linear(ground.blue);
  return luminance > as_far_from_both ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
}

double faded_share(Theme theme) { return theme == Theme::light ? 0.28 : 0.32; }

Rgb held_colour(Theme theme, bool is_dropped) {
  if (theme == Theme::light) return is_dropped ? Rgb{0xe7, 0xe8, 0xeb} : Rgb{0x8a, 0x8f, 0x96};
  return is_dropped ? Rgb{0x36, 0x39, 0x40} : Rgb{0x9a, 0xa0, 0xa8};
}

Rgb held_by_colour(HeldBy by, Theme theme) {
  const bool is_dark = theme == Theme::dark;
  switch (by) {
    case HeldBy::both:
      return is_dark ? Rgb{0x66, 0x6b, 0x73} : Rgb{0xb0, 0xb4, 0xba};
    case HeldBy::first:
      return is_dark ? Rgb{0x4a, 0xa8, 0xe0} : Rgb{0x06, 0x54, 0x88};
    case HeldBy::second:
      return is_dark ? Rgb{0xf3, 0xc4, 0xdc} : Rgb{0xbd, 0x66, 0x91};
    case HeldBy::neither:
      break;
  }
  return held_colour(theme, true);
}

const char* role_name(Role role) {
  switch (role) {
    case Role::global:
      return "global";
    case Role::local:
      return "local";
    case Role::sliding:
      return "sliding";
  }
  return "?";
}

}  // namespace natscope
