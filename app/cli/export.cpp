// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/drawn_figure.h"
#include "app/cli/recorded_run.h"
#include "app/cli/terminal.h"
#include "core/base/atomic_file.h"
#include "core/base/cancel.h"
#include "core/export/data_files.h"
#include "core/export/figure_data.h"
#include "core/io/model_folder.h"
#include "core/io/tokenizer.h"
#include "core/session/session_file.h"
#include "core/session/trace_file.h"

namespace natscope {
namespace {

constexpr std::int64_t map_store_bytes = 1LL << 30U;
constexpr std::int64_t max_cells = 1LL << 28U;

struct Options {
  RecordedRunOptions run;
  std::string kind;
  std::string out;
  std::string from;
  std::vector<std::string> compared;
  std::int32_t layer = 0;
  std::int32_t head = 0;
  std::optional<std::string> queries;
  std::optional<std::string> keys;
  std::string scale = "linear";
  double clip = 100;
  std::string normalise = "none";
  bool hide_sink = false;
  double dpi = 300;
  std::string theme = "light";
  std::string colours = "viridis";
  std::string axes = "auto";
  CLI::Option* layer_option = nullptr;
  CLI::Option* head_option = nullptr;

  /// Of an overview: the layer that was asked for, or none for all.
  [[nodiscard]] std::optional<LayerId> one_layer() const {
    return layer_option->count() > 0 ? std::optional(LayerId(layer)) : std::nullopt;
  }
  /// Of a text: the head that was asked for, or none for all.
  [[nodiscard]] std::optional<MapId> one_head() const {
    return layer_option->count() + head_option->count() > 0 ? std::optional(map()) : std::nullopt;
  }
  [[nodiscard]] MapId map() const { return {LayerId(layer), HeadId(head)}; }
  [[nodiscard]] ScaleOptions scale_options() const {
    return {scale == "log" ? ScaleKind::log : ScaleKind::linear, clip,
            normalise == "row" ? Normalise::row : Normalise::none, hide_sink};
  }
};

struct Ranges {
  PositionRange queries;
  PositionRange keys;
};

Expected<Ranges> ranges_of(const Options& options, std::int64_t tokens) {
  Ranges ranges;
  NATSCOPE_TRY(ranges.queries, parse_range(options.queries.value_or(":"), tokens));
  NATSCOPE_TRY(ranges.keys, parse_range(options.keys.value_or(":"), tokens));
  if (ranges.queries.size() * ranges.keys.size() > max_cells) {
    return fail(ErrorCode::bad_range,
                "a map of " + std::to_string(ranges.queries.size()) + " × " + std::to_string(ranges.keys.size()) +
                    " cells is too large for one file",
                "choose a part with --queries a:b and --keys a:b");
  }
  return ranges;
}

Expected<FigureData> attention_figure(const Engine& engine, const Options& options, const Ranges& ranges,
                                      Provenance provenance, std::stop_token stop) {
  Heatmap map;
  map.kind = FigureKind::attention;
  map.layer = LayerId(options.layer);
  map.head = HeadId(options.head);
  map.queries = ranges.queries;
  map.keys = ranges.keys;
  const std::array sizes{ranges.queries.size(), ranges.keys.size()};
  const auto cells = static_cast<std::size_t>(sizes[0] * sizes[1]);
  map.values.resize(cells);
  map.visible.resize(cells);
  NATSCOPE_CHECK(engine.weights(map.layer, map.head, TokenPos(ranges.queries.begin), TokenPos(ranges.keys.begin),
                                kernels::View<float, 2>::packed(map.values.data(), sizes),
                                kernels::View<std::uint8_t, 2>::packed(map.visible.data(), sizes), std::move(stop)));
  FigureData figure;
  figure.kind = FigureKind::attention;
  figure.values = std::move(map);
  figure.provenance = std::move(provenance);
  return figure;
}

Expected<FigureData> figure_from_record(FigureKind kind, const SequenceRecord& record, std::int32_t heads,
                                        const Options& options, const Provenance& provenance) {
  if (kind == FigureKind::roles) return roles_figure(record, provenance);
  if (kind == FigureKind::kv) return kv_figure(record, provenance);
  if (kind == FigureKind::heads) return heads_figure(record, provenance);
  if (kind == FigureKind::text) {
    NATSCOPE_TRY(const auto tokens, parse_range(options.keys.value_or(":"), record.size()));
    return text_figure(record, heads, options.one_head(), tokens, provenance);
  }
  NATSCOPE_TRY(const auto ranges, ranges_of(options, record.size()));
  return mask_figure(record, heads, options.map(), ranges.queries, ranges.keys, provenance);
}

Expected<FigureData> overview_figure_of(const Engine& engine, const Options& options, const Provenance& provenance,
                                        const std::stop_token& stop) {
  const std::int32_t heads = engine.config().heads;
  const std::int64_t maps = options.one_layer() ? heads : std::int64_t{heads} * engine.record().geometry().layers;
  ProgressBar bar("maps", "maps");
  std::int64_t done = 0;
  return overview_of_record(engine.record(), heads, options.one_layer(), provenance,
                            [&](const TileKey& key) -> Expected<AttentionTile> {
                              NATSCOPE_TRY(AttentionTile tile, engine.tile(key, stop));
                              bar.update(++done, maps);
                              return tile;
                            });
}

void name_tokens(FigureData& figure, const SequenceRecord& record, const Tokenizer& tokenizer) {
  figure.tokens.clear();
  figure.token_texts.clear();
  for (const TokenFrame& frame : record.frames()) {
    figure.tokens.push_back(frame.token);
    figure.token_texts.push_back(frame.text);
  }
  name_silent_tokens(figure, [&tokenizer](std::int32_t token) { return tokenizer.display(token); });
}

Expected<FigureData> figure_from_model(FigureKind kind, const Options& options, std::stop_token stop) {
  const bool needs_map = kind == FigureKind::attention || kind == FigureKind::mask ||
                         (kind == FigureKind::overview && options.one_layer()) ||
                         (kind == FigureKind::text && options.one_head());
  const bool needs_weights = kind == FigureKind::attention || kind == FigureKind::overview;
  const auto check_model = [&](const Engine& engine) -> Expected<void> {
    return needs_map ? check_map(options.map(), engine.config()) : Expected<void>{};
  };
  // What stands above the layer of the map does not change it; a text tells of all layers.
  const bool needs_all = !needs_map || kind == FigureKind::text;
  const std::int32_t layers = !needs_all && options.layer < INT32_MAX ? options.layer + 1 : 0;
  NATSCOPE_TRY(auto run, options.run.run(needs_weights ? map_store_bytes : 0, layers, check_model, {}, stop));
  const Engine& engine = *run.engine;
  FigureData figure;
  if (kind == FigureKind::attention) {
    run.provenance.maps = {options.map()};
    NATSCOPE_TRY(const auto ranges, ranges_of(options, engine.record().size()));
    NATSCOPE_TRY(figure, attention_figure(engine, options, ranges, run.provenance, stop));
  } else if (kind == FigureKind::overview) {
    NATSCOPE_TRY(figure, overview_figure_of(engine, options, run.provenance, stop));
  } else {
    NATSCOPE_TRY(figure, figure_from_record(kind, engine.record(), engine.config().heads, options, run.provenance));
  }
  name_tokens(figure, engine.record(), engine.tokenizer());
  return figure;
}

Expected<FigureData> figure_from_file(FigureKind kind, const Options& options) {
  NATSCOPE_TRY(const std::string format, recorded_format(options.from));
  if (format == "natscope-session") {
    NATSCOPE_TRY(const auto session, read_session(options.from));
    if (kind == FigureKind::attention || kind == FigureKind::overview) {
      return fail(
          ErrorCode::bad_session, "a session holds roles and accounting, but no attention weights",
          std::string("export ") + name(kind) + " from the model and prompt, or from a trace made with --attention");
    }
    const std::int32_t heads = session.provenance.heads.value_or(session.record.geometry().kv_heads);
    NATSCOPE_TRY(auto figure, figure_from_record(kind, session.record, heads, options, session.provenance));
    name_silent_tokens(figure, [&session](std::int32_t token) {
      const auto found = session.token_texts.find(token);
      return found == session.token_texts.end() ? std::string() : found->second;
    });
    return figure;
  }
  // A file of another kind gets the trace reader's word on what is missing.
  NATSCOPE_TRY(const auto trace, TraceFile::open(options.from));
  if (options.axes == "tokens" && trace.token_texts().empty()) {
    std::fprintf(
        stderr, "this trace does not hold how its tokens read (an earlier version made it): the axes have positions\n");
  }
  if (kind == FigureKind::overview) return overview_from_trace(trace, options.one_layer());
  if (kind == FigureKind::text) {
    NATSCOPE_TRY(const auto tokens, parse_range(options.keys.value_or(":"), trace.tokens_count()));
    return text_from_trace(trace, options.one_head(), tokens);
  }
  return figure_from_trace(trace, kind, options.map(), options.queries, options.keys);
}

/// Reads the runs that are to stand beside the figure's own.
Expected<void> add_compared(FigureData& figure, const Options& options) {
  for (const std::string& file : options.compared) {
    Options other = options;
    other.from = file;
    NATSCOPE_TRY(auto read, figure_from_file(FigureKind::kv, other));
    NATSCOPE_CHECK(compare(figure, std::move(read)));
  }
  return {};
}

Expected<void> write_figure(FigureData figure, ExportFormat format, const Options& options,
                            const std::stop_token& stop) {
  const ScaleOptions scale = options.scale_options();
  if (!is_data_format(format))
    return draw_figure_file(figure,
                            {scale, options.dpi, options.theme == "dark",
                             colour_map(options.colours).value_or(ColourMap::viridis), options.axes},
                            options.out);
  return write_figure_data(options.out, prepared(std::move(figure), scale), stop);
}

/// What an overview leaves no choice of must not look as if it had been heeded.
Expected<void> check_overview(const Options& options) {
  if (options.head_option->count() > 0)
    return fail(ErrorCode::usage, "--kind overview shows all heads, --head chooses one",
                "leave --head out, or use --kind attention");
  if (options.normalise == "row")
    return fail(ErrorCode::usage, "--normalise row is for one head's map; those of an overview share their colours",
                "leave it out, or use --kind attention");
  return {};
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const ExportFormat format, export_format(options.out));
  const auto kind = figure_kind(options.kind);
  if (!kind) return fail(ErrorCode::usage, "there is no kind \"" + options.kind + "\"");
  NATSCOPE_CHECK(check_format(*kind, format));
  if (*kind == FigureKind::overview) NATSCOPE_CHECK(check_overview(options));
  if (!options.from.empty() && options.run.has_text()) {
    return fail(ErrorCode::usage, "--from and a prompt exclude each other");
  }
  if (!options.compared.empty() && (*kind != FigureKind::kv || is_data_format(format))) {
    return fail(ErrorCode::usage, "--compare puts runs beside each other in a drawn KV curve only",
                "use --kind kv and a file that ends in .png, .svg or .pdf");
  }
  // A range that is none is wrong usage, whatever the text turns out to hold.
  for (const auto& range : {options.queries, options.keys}) {
    if (!range) continue;
    if (auto parsed = parse_range(*range, INT32_MAX); !parsed && parsed.error().code == ErrorCode::usage) {
      return Unexpected(std::move(parsed).error());
    }
  }
  const bool is_map = *kind == FigureKind::attention || *kind == FigureKind::mask;
  const bool is_text = *kind == FigureKind::text;
  if ((!is_map && options.queries) || (!is_map && !is_text && options.keys)) {
    std::fprintf(stderr, "%s choose a part of attention and mask; %s\n", is_text ? "--queries" : "--queries and --keys",
                 is_text ? "--keys chooses the tokens of a text" : (options.kind + " is written whole").c_str());
  }
  NATSCOPE_CHECK(check_writable_target(options.out));
  NATSCOPE_TRY(FigureData figure, options.from.empty() ? figure_from_model(*kind, options, context.stop)
                                                       : figure_from_file(*kind, options));
  NATSCOPE_CHECK(add_compared(figure, options));
  NATSCOPE_CHECK(check(context.stop));
  NATSCOPE_CHECK(write_figure(std::move(figure), format, options, context.stop));
  return context.json ? print_json({{"out", options.out}, {"kind", options.kind}})
                      : print_text("wrote " + printable(options.out) + "\n");
}

}  // namespace

void add_export_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = root.add_subcommand(
      "export", "Draw or write a heatmap, role map, KV curve, coloured text, table of heads or the maps of all heads");
  command
      ->add_option(
          "--kind", options->kind,
          "attention, mask, roles, kv, text (tokens coloured by their roles in a head, with --layer and --head, or by "
          "the share of heads that hold them: not npy), heads (a table of all heads: csv, json, npy) or overview (the "
          "maps of all heads side by side: not csv)")
      ->required()
      ->check(CLI::IsMember({"attention", "mask", "roles", "kv", "text", "heads", "overview"}))
      ->type_name("KIND");
  command->add_option("--out", options->out, "File to write; its ending says how: png, svg, pdf, npy, csv or json")
      ->required()
      ->type_name("FILE");
  command->add_option("--from", options->from, "A trace or session file; without it a model and a prompt")
      ->type_name("FILE");
  command
      ->add_option("--compare", options->compared,
                   "kv: another run's cache in the same figure, from its trace or session (up to 3 times)")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  const auto index = CLI::Range(0, INT32_MAX);
  options->layer_option =
      command->add_option("--layer", options->layer, "Layer of the map; overview: only this layer; text: of the head")
          ->check(index)
          ->type_name("L")
          ->capture_default_str();
  options->head_option =
      command->add_option("--head", options->head, "Query head of the map; text: whose roles to show")
          ->check(index)
          ->type_name("H")
          ->capture_default_str();
  command->add_option("--queries", options->queries, "Only these query positions, the end not included")
      ->type_name("A:B");
  command
      ->add_option("--keys", options->keys, "Only these key positions, the end not included; text: only these tokens")
      ->type_name("A:B");
  command->add_option("--scale", options->scale, "Colours: linear or log")
      ->check(CLI::IsMember({"linear", "log"}))
      ->type_name("NAME")
      ->capture_default_str();
  command
      ->add_option("--clip", options->clip, "The colour range ends at this percentile of the visible cells, up to 100")
      ->check(number_within(0.001, 100))
      ->type_name("P")
      ->capture_default_str();
  command->add_option("--normalise", options->normalise, "row: divide every row by its largest weight")
      ->check(CLI::IsMember({"row", "none"}))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_flag("--hide-sink", options->hide_sink,
                    "Leave key 0 out of the map and its colour range; overview: its first column of cells");
  command->add_option("--dpi", options->dpi, "Resolution of a png, 36 to 2400")
      ->check(number_within(36, 2400))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--theme", options->theme, "light or dark")
      ->check(CLI::IsMember({"light", "dark"}))
      ->type_name("NAME")
      ->capture_default_str();
  command
      ->add_option("--colours", options->colours,
                   "Colour map of attention, mask and overview: viridis, magma or cividis")
      ->check(CLI::IsMember({"viridis", "magma", "cividis"}))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--axes", options->axes, "Labels: tokens, positions, or auto: tokens where they fit")
      ->check(CLI::IsMember({"auto", "tokens", "positions"}))
      ->type_name("NAME")
      ->capture_default_str();
  options->run.add_to(*command);
  command->footer(
      "overview as npy is F32 [layers, heads, S, S]. S is the cells of a side, at most 256; a cell is the largest of "
      "the\n"
      "n x n weights that it stands for: n = 1 up to 256 tokens, 2 up to 512, and so on (cell_tokens in FILE.json).\n"
      "0: masked; NaN: a map that the trace does not hold.\n"
      "A role is 0 Global, 1 Local or 2 Sliding. Under h2o tokens have no roles (all are 0); csv and json then also "
      "say\n"
      "held: 1 where the KV head holds the token after the last one.");
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
