// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/colour_map.h"

#include <algorithm>

#include "core/export/colour_tables.h"

namespace natscope {
namespace {

constexpr std::array map_names{"viridis", "magma", "cividis"};

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

Rgb role_colour(Role role) {
  switch (role) {
    case Role::global:
      return {213, 94, 0};
    case Role::local:
      return {0, 158, 115};
    case Role::sliding:
      return {86, 180, 233};
  }
  return {0, 0, 0};
}

double faded_share(Theme theme) { return theme == Theme::light ? 0.28 : 0.42; }

Rgb held_colour(Theme theme, bool is_dropped) {
  if (theme == Theme::light) return is_dropped ? Rgb{0xe7, 0xe8, 0xeb} : Rgb{0x8a, 0x8f, 0x96};
  return is_dropped ? Rgb{0x36, 0x39, 0x40} : Rgb{0x9a, 0xa0, 0xa8};
}

Rgb held_by_colour(HeldBy by, Theme theme) {
  switch (by) {
    case HeldBy::both:
      return {0x8a, 0x8f, 0x96};
    case HeldBy::first:
      return {0x00, 0x72, 0xb2};
    case HeldBy::second:
      return {0xcc, 0x79, 0xa7};
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
