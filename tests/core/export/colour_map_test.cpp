// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/colour_map.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace natscope {
namespace {

/// Lightness L* (CIE 1976) of an sRGB colour.
double lightness(Rgb colour) {
  const auto linear = [](std::uint8_t value) {
    const double v = value / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  const double y = 0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue);
  return y <= 216.0 / 24389.0 ? y * 24389.0 / 27.0 : 116.0 * std::cbrt(y) - 16.0;
}

constexpr ColourMap maps[] = {ColourMap::viridis, ColourMap::magma, ColourMap::cividis};

TEST_CASE("the maps grow lighter all the way: larger weights look larger") {
  for (const ColourMap map : maps) {
    CAPTURE(name(map));
    double last = -1;
    for (const Rgb colour : colours(map)) {
      CHECK(lightness(colour) > last - 0.35);  // 8-bit rounding
      last = std::max(last, lightness(colour));
    }
    CHECK(lightness(colours(map)[255]) - lightness(colours(map)[0]) > 60);
  }
}

TEST_CASE("no visible cell has the masked colour") {
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Rgb masked = masked_colour(theme);
    for (const ColourMap map : maps) {
      for (const Rgb colour : colours(map)) {
        const int apart = std::abs(colour.red - masked.red) + std::abs(colour.green - masked.green) +
                          std::abs(colour.blue - masked.blue);
        CHECK(apart > 30);  // told apart, not only different
      }
    }
    for (const Role role : {Role::global, Role::local, Role::sliding}) CHECK(role_colour(role) != masked);
  }
}

TEST_CASE("a place becomes a colour, outside and NaN too") {
  CHECK(colour_at(ColourMap::viridis, 0.0F) == Rgb{68, 1, 84});
  CHECK(colour_at(ColourMap::viridis, 1.0F) == Rgb{253, 231, 37});
  CHECK(colour_at(ColourMap::viridis, -3.0F) == Rgb{68, 1, 84});
  CHECK(colour_at(ColourMap::viridis, 1e30F) == Rgb{253, 231, 37});
  CHECK(colour_at(ColourMap::viridis, std::numeric_limits<float>::quiet_NaN()) == Rgb{68, 1, 84});
  CHECK(colour_at(ColourMap::magma, 0.5F) == colours(ColourMap::magma)[128]);
}

TEST_CASE("names") {
  for (const ColourMap map : maps) CHECK(colour_map(name(map)) == map);
  CHECK_FALSE(colour_map("jet"));
}

}  // namespace
}  // namespace natscope
