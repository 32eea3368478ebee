// SPDX-License-Identifier: GPL-3.0-or-later
/// Attention maps: a tile from the store, and the time from a prompt to the first picture of a head.
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "app/cli/bench/benchmarks.h"
#include "app/cli/bench/random_model.h"
#include "app/cli/commands/drawn_figure.h"
#include "core/engine/engine.h"

namespace natscope::bench {
namespace {

constexpr int runs = 9;

std::vector<std::int32_t> some_tokens(std::int64_t count) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(3 + i * 7919 % 4000);
  return tokens;
}

Expected<std::unique_ptr<Engine>> open_on(const RandomModelFolder& folder, const Context& context,
                                          std::int32_t layers = 0) {
  EngineOptions options;
  options.layers = layers;
  options.model = folder.path();
  options.device = Device::cpu;
  options.dtype = kernels::ElementType::f32;
  options.threads = context.threads;
  return Engine::open(options, context.stop);
}

constexpr LayerId pictured_layer{5};

/// Prompt in, picture file out: prefill, one head's weights, the figure drawn and written.
Expected<void> draw_first_picture(Engine& engine, std::span<const std::int32_t> tokens,
                                  const std::filesystem::path& path, const Context& context) {
  NATSCOPE_CHECK(engine.start({}));
  NATSCOPE_CHECK(engine.prefill(tokens, {}, context.stop));
  const auto length = static_cast<std::int32_t>(tokens.size());
  Heatmap map;
  map.layer = pictured_layer;
  map.head = HeadId(3);
  map.queries = {0, length};
  map.keys = {0, length};
  map.values.resize(tokens.size() * tokens.size());
  map.visible.resize(map.values.size());
  const std::array<std::int64_t, 2> sizes{length, length};
  NATSCOPE_CHECK(engine.weights(map.layer, map.head, TokenPos(0), TokenPos(0),
                                kernels::View<float, 2>::packed(map.values.data(), sizes),
                                kernels::View<std::uint8_t, 2>::packed(map.visible.data(), sizes), context.stop));
  FigureData figure;
  figure.values = std::move(map);
  DrawnFigureOptions options;
  options.dpi = 100;
  return draw_figure_file(figure, options, path);
}

}  // namespace

Expected<std::vector<Row>> tile(const Context& context) {
  constexpr std::int64_t length = 4096;
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape_124m, kernels::ElementType::f32));
  NATSCOPE_TRY(const auto engine, open_on(folder, context));
  NATSCOPE_CHECK(engine->start({}));
  NATSCOPE_CHECK(engine->prefill(some_tokens(length), {}, context.stop));
  std::vector<double> times_ms;
  for (int run = -1; run < runs; ++run) {
    // Below the diagonal every cell is computed; another place each time, so nothing is answered from a cache.
    const TileKey key{LayerId(run + 1), HeadId(run + 1), 0, 15, run + 2};
    Expected<AttentionTile> drawn;
    const double seconds = seconds_of([&] { drawn = engine->tile(key, context.stop); });
    if (!drawn) return Unexpected(std::move(drawn).error());
    if (run >= 0) times_ms.push_back(1000 * seconds);
  }
  const Summary time = summarise(times_ms);
  Row row;
  row.name = "tile_4k";
  row.size = "256 × 256 cells at zoom 0, T = 4096, head dimension 64, f32";
  row.value = time.median;
  row.unit = "ms";
  row.runs = runs;
  row.spread = time.spread;
  return std::vector<Row>{row};
}

Expected<std::vector<Row>> first_picture(const Context& context) {
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape_124m, kernels::ElementType::f32));
  // As export opens it: nothing above the layer of the map.
  NATSCOPE_TRY(const auto engine, open_on(folder, context, pictured_layer.value + 1));
  std::vector<Row> rows;
  for (const std::int64_t length : {128, 512, 2048}) {
    const std::string name = "first_picture_" + std::to_string(length);
    if (!context.wants(name)) continue;
    const auto tokens = some_tokens(length);
    std::vector<double> times_s;
    for (int run = 0; run < 5; ++run) {  // the first picture of a fresh engine counts, too
      Expected<void> drawn;
      times_s.push_back(
          seconds_of([&] { drawn = draw_first_picture(*engine, tokens, folder.path() / "map.png", context); }));
      NATSCOPE_CHECK(std::move(drawn));
    }
    const Summary time = summarise(times_s);
    Row row;
    row.name = name;
    row.size = "124 M shape, f32, a head of layer 5, T = " + std::to_string(length) + ", prompt to png, engine up";
    row.value = time.median;
    row.unit = "s";
    row.runs = 5;
    row.spread = time.spread;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace natscope::bench
