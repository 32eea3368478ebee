// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/colour_map.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

namespace natscope {
namespace {

using Linear = std::array<double, 3>;

Linear linear(Rgb colour) {
  const auto part = [](std::uint8_t value) {
    const double v = value / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return {part(colour.red), part(colour.green), part(colour.blue)};
}

double luminance(const Linear& c) { return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; }

/// Lightness L*, and towards red and yellow (CIE 1976).
std::array<double, 3> lab(const Linear& c) {
  const auto bent = [](double t) { return t > 216.0 / 24389.0 ? std::cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0; };
  const double x = bent((0.4124 * c[0] + 0.3576 * c[1] + 0.1805 * c[2]) / 0.95047);
  const double y = bent(luminance(c));
  const double z = bent((0.0193 * c[0] + 0.1192 * c[1] + 0.9505 * c[2]) / 1.08883);
  return {116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)};
}

double lightness(Rgb colour) { return lab(linear(colour))[0]; }

/// How far two colours are apart to the eye (CIE 1976); 2 is just seen side by side.
double distance(const Linear& a, const Linear& b) {
  const auto p = lab(a);
  const auto q = lab(b);
  return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

/// WCAG 2.1, 1.4.3: 1 … 21.
double contrast(Rgb a, Rgb b) {
  const double one = luminance(linear(a));
  const double other = luminance(linear(b));
  return (std::max(one, other) + 0.05) / (std::min(one, other) + 0.05);
}

/// What a sight without one kind of cone makes of linear RGB. Source: Machado, Oliveira and Fernandes (IEEE TVCG 15(6),
/// 2009), severity 1.
struct Sight {
  const char* name;
  std::array<Linear, 3> rows;

  [[nodiscard]] Linear operator()(Rgb colour) const {
    const Linear c = linear(colour);
    Linear seen{};
    for (std::size_t i = 0; i < 3; ++i)
      seen[i] = std::clamp(rows[i][0] * c[0] + rows[i][1] * c[1] + rows[i][2] * c[2], 0.0, 1.0);
    return seen;
  }
};

constexpr Sight sights[] = {
    {"usual", {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}},
    {"protanopia",
     {{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}}},
    {"deuteranopia",
     {{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}}},
    {"tritanopia",
     {{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}}}};

constexpr Theme themes[] = {Theme::light, Theme::dark};

/// The colours of a map that must be told apart from each other.
std::vector<Rgb> role_map_colours(Theme theme) {
  return {role_colour(Role::global, theme), role_colour(Role::local, theme), role_colour(Role::sliding, theme),
          masked_colour(theme)};
}

std::vector<Rgb> held_map_colours(Theme theme) {
  return {held_by_colour(HeldBy::both, theme), held_by_colour(HeldBy::first, theme),
          held_by_colour(HeldBy::second, theme), held_by_colour(HeldBy::neither, theme)};
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
    for (const Role role : {Role::global, Role::local, Role::sliding}) CHECK(role_colour(role, theme) != masked);
  }
}

TEST_CASE("a grey print tells roles, and what two caches hold, apart") {
  for (const Theme theme : themes) {
    for (const auto& map : {role_map_colours(theme), held_map_colours(theme)}) {
      for (std::size_t i = 0; i < map.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          CAPTURE(theme);
          CAPTURE(i);
          CAPTURE(j);
          CHECK(std::abs(lightness(map[i]) - lightness(map[j])) >= 18);
        }
      }
    }
    CHECK(std::abs(lightness(held_colour(theme, true)) - lightness(held_colour(theme, false))) >= 18);
  }
}

TEST_CASE("every kind of colour sight tells them apart, and by lightness, too") {
  for (const Theme theme : themes) {
    const std::vector<Rgb> roles = role_map_colours(theme);
    const std::vector<Rgb> held = held_map_colours(theme);
    for (const Sight& sight : sights) {
      CAPTURE(theme);
      CAPTURE(sight.name);
      for (std::size_t i = 0; i < roles.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          CAPTURE(i);
          CAPTURE(j);
          CHECK(distance(sight(roles[i]), sight(roles[j])) > 20);
          CHECK(std::abs(lab(sight(roles[i]))[0] - lab(sight(roles[j]))[0]) > 10);
          CHECK(distance(sight(held[i]), sight(held[j])) > 16);
        }
      }
    }
  }
}

TEST_CASE("what is written on a colour can be read") {
  for (const Theme theme : themes) {
    for (const auto& map : {role_map_colours(theme), held_map_colours(theme)})
      for (const Rgb ground : map) CHECK(contrast(ground, ink_on(ground)) > 4.5);
  }
  for (int grey = 0; grey < 256; ++grey) {
    const auto level = static_cast<std::uint8_t>(grey);
    const Rgb ground{level, level, level};
    const Rgb other = ink_on(ground) == Rgb{0, 0, 0} ? Rgb{255, 255, 255} : Rgb{0, 0, 0};
    CHECK(contrast(ground, ink_on(ground)) >= contrast(ground, other) - 0.01);  // the threshold has three digits
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
