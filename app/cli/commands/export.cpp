// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/commands/drawn_figure.h"
#include "app/cli/commands/export_flags.h"
#include "app/cli/commands/recorded_run.h"
#include "app/cli/terminal/interrupt.h"
#include "app/cli/terminal/output_stream.h"
#include "app/cli/terminal/terminal.h"
#include "core/base/atomic_file.h"
#include "core/base/cancel.h"
#include "core/explore/run_figures.h"
#include "core/export/attention_table.h"
#include "core/export/data_files.h"
#include "core/export/figure_request.h"
#include "core/export/figures.h"
#include "core/io/model_folder.h"
#include "core/session/session_file.h"
#include "core/session/trace_sequence.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {
namespace {

constexpr std::int64_t map_store_bytes = 1LL << 30U;

using Options = ExportFlags;

constexpr const char* reading_again = "once more, for a layer that there was no room to keep";

ReplayProgress shown_replay(ProgressBar& bar) {
  return [&bar](std::int64_t done, std::int64_t total) { bar.update(done, total); };
}

/// The request of these flags, of a run of so many tokens. Errors: those of parse_range.
Expected<FigureRequest> request_of(FigureKind kind, const Options& options, std::int64_t tokens) {
  FigureRequest request{
      kind, options.map(), {}, {}, options.one_layer(), options.text(), options.one_head().has_value()};
  const bool is_map = kind == FigureKind::attention || kind == FigureKind::mask;
  if (is_map) {
    NATSCOPE_TRY(request.queries, parse_range(options.queries.value_or(":"), tokens));
  }
  if (is_map || kind == FigureKind::text) {
    NATSCOPE_TRY(request.keys, parse_range(options.keys.value_or(":"), tokens));
  }
  return request;
}

Expected<FigureData> attention_figure(const Engine& engine, const FigureRequest& request, Provenance provenance,
                                      std::stop_token stop) {
  NATSCOPE_CHECK(check_map_size(request.queries, request.keys));
  Heatmap map{FigureKind::attention, request.map.layer, request.map.head, request.queries, request.keys, {}, {}};
  const std::array sizes{map.queries.size(), map.keys.size()};
  const auto cells = static_cast<std::size_t>(sizes[0] * sizes[1]);
  map.values.resize(cells);
  map.visible.resize(cells);
  ProgressBar again(reading_again, "tokens");
  NATSCOPE_CHECK(engine.weights(map.layer, map.head, TokenPos(map.queries.begin), TokenPos(map.keys.begin),
                                kernels::View<float, 2>::packed(map.values.data(), sizes),
                                kernels::View<std::uint8_t, 2>::packed(map.visible.data(), sizes), std::move(stop),
                                shown_replay(again)));
  provenance.maps = {request.map};
  return FigureData{FigureKind::attention, std::move(map), {}, {}, std::move(provenance)};
}

/// A trace's or session's run.
Expected<Session> recorded_session(FigureKind kind, const std::string& file) {
  NATSCOPE_TRY(const std::string format, recorded_format(file));
  if (format == "natscope-session") return read_session(file);
  NATSCOPE_TRY(const auto trace, TraceFile::open(file));
  if (kind == FigureKind::roles || kind == FigureKind::statistics) NATSCOPE_CHECK(check_held_is_known(trace));
  return session_of(trace, std::nullopt);
}

/// The run of --compare, but for a KV curve's, which add_compared() reads.
Expected<std::optional<Session>> compared_session(FigureKind kind, const Options& options) {
  if (kind == FigureKind::kv || options.compared.empty()) return std::optional<Session>();
  return recorded_session(kind, options.compared.front());
}

std::optional<RunOf> run_of(const std::optional<Session>& session) {
  return session ? std::optional(RunOf{session->record, session->provenance}) : std::nullopt;
}

/// Of a run's record; beside the run of --compare, but for a KV curve, which add_compared() gives several.
Expected<FigureData> figure_from_record(FigureKind kind, const RunOf& run, std::int32_t heads, const Options& options,
                                        const TokenNames& name_of) {
  NATSCOPE_TRY(const FigureRequest request, request_of(kind, options, run.record.size()));
  NATSCOPE_TRY(const auto read, compared_session(kind, options));
  const std::optional<RunOf> other = run_of(read);
  return figure_of_run(request, run, heads, other ? &*other : nullptr, name_of);
}

/// `other`, or null: the run that summaries are compared with.
Expected<FigureData> overview_figure_of(const Engine& engine, const Options& options, const Provenance& provenance,
                                        const RunOf* other, const std::stop_token& stop) {
  const std::int32_t heads = engine.config().heads;
  std::int64_t common = 0;
  if (other != nullptr) {
    NATSCOPE_TRY(common, tokens_in_common(engine.record(), other->record));
  }
  const std::int64_t maps = options.one_layer() ? heads : std::int64_t{heads} * engine.record().geometry().layers;
  ProgressBar bar("maps", "maps");
  ProgressBar again(reading_again, "tokens");
  std::int64_t done = 0;
  return overview_of_record(engine.record(), heads, options.one_layer(), provenance,
                            [&](const TileKey& key) -> Expected<AttentionTile> {
                              std::span<const std::int32_t> schedule;
                              if (other != nullptr)
                                schedule = schedule_of(other->record, heads, key.layer, key.head, common);
                              NATSCOPE_TRY(AttentionTile tile, engine.tile(key, stop, shown_replay(again), schedule));
                              bar.update(++done, maps);
                              return tile;
                            });
}

Expected<FigureData> figure_from_model(FigureKind kind, const Options& options, std::stop_token stop) {
  const bool is_of_maps = kind == FigureKind::overview || kind == FigureKind::statistics;
  const bool needs_map = kind == FigureKind::attention || kind == FigureKind::mask ||
                         (is_of_maps && options.one_layer()) ||
                         ((kind == FigureKind::text || kind == FigureKind::vocabulary) && options.one_head());
  const bool needs_weights = kind == FigureKind::attention || is_of_maps;
  const auto check_model = [&](const Engine& engine) -> Expected<void> {
    return needs_map ? check_map(options.map(), engine.config()) : Expected<void>{};
  };
  // What stands above the layer of the map does not change it; a text tells of all layers.
  const bool needs_all = !needs_map || kind == FigureKind::text || kind == FigureKind::vocabulary;
  const std::int32_t layers = !needs_all && options.layer < INT32_MAX ? options.layer + 1 : 0;
  RunNeeds needs{needs_weights ? map_store_bytes : 0, layers};
  if (needs_weights && needs_map && options.layer < INT32_MAX) needs.drawn_layer = LayerId(options.layer);
  needs.probabilities = options.surprise || kind == FigureKind::vocabulary;
  // Read first: what is wrong with it is said before the model has read anything.
  std::optional<Session> compared;
  if (kind == FigureKind::statistics) {
    NATSCOPE_TRY(compared, compared_session(kind, options));
  }
  const std::optional<RunOf> other = run_of(compared);
  NATSCOPE_TRY(auto run, options.run.run(needs, check_model, stop));
  const Engine& engine = *run.engine;
  const TokenNames name_of = [&engine](std::int32_t token) { return engine.tokenizer().display(token); };
  if (!needs_weights)
    return figure_from_record(kind, {engine.record(), run.provenance}, engine.config().heads, options, name_of);
  FigureData figure;
  if (kind == FigureKind::attention) {
    NATSCOPE_TRY(const auto request, request_of(kind, options, engine.record().size()));
    NATSCOPE_TRY(figure, attention_figure(engine, request, run.provenance, stop));
    add_axis(figure, engine.record());
  } else {
    NATSCOPE_TRY(figure, overview_figure_of(engine, options, run.provenance, other ? &*other : nullptr, stop));
    if (kind == FigureKind::statistics) {
      NATSCOPE_TRY(figure, statistics_figure(std::move(figure), other ? &other->provenance : nullptr));
    }
  }
  name_silent_tokens(figure, name_of);
  return figure;
}

Expected<FigureData> figure_from_file(FigureKind kind, const Options& options) {
  NATSCOPE_TRY(const std::string format, recorded_format(options.from));
  if (format == "natscope-session" || is_by_token(kind, options.text(), !options.compared.empty())) {
    NATSCOPE_TRY(const auto session, recorded_session(kind, options.from));
    if (kind == FigureKind::attention || kind == FigureKind::overview || kind == FigureKind::statistics) {
      return fail(
          ErrorCode::bad_session, "a session holds roles and accounting, but no attention weights",
          std::string("export ") + name(kind) + " from the model and prompt, or from a trace made with --attention");
    }
    const std::int32_t heads = session.provenance.heads.value_or(session.record.geometry().kv_heads);
    return figure_from_record(kind, {session.record, session.provenance}, heads, options,
                              token_names(session.token_texts));
  }
  // A file of another kind gets the trace reader's word on what is missing.
  NATSCOPE_TRY(const auto trace, TraceFile::open(options.from));
  if (options.axes == "tokens" && trace.token_texts().empty()) {
    std::fprintf(
        stderr, "this trace does not hold how its tokens read (an earlier version made it): the axes have positions\n");
  }
  NATSCOPE_TRY(const auto request, request_of(kind, options, trace.tokens_count()));
  std::optional<Session> compared;
  if (kind == FigureKind::statistics) {
    NATSCOPE_TRY(compared, compared_session(kind, options));
  }
  const std::optional<RunOf> other = run_of(compared);
  return figure_of_trace(request, trace, other ? &*other : nullptr);
}

/// Reads the caches that are to stand beside the figure's own.
Expected<void> add_compared(FigureData& figure, const Options& options) {
  if (figure.kind != FigureKind::kv) return {};
  for (const std::string& file : options.compared) {
    Options other = options;
    other.from = file;
    NATSCOPE_TRY(auto read, figure_from_file(FigureKind::kv, other));
    NATSCOPE_CHECK(compare(figure, std::move(read)));
  }
  return {};
}

/// Says on a terminal what is waited for, for as long as it lives: how far a drawing is cannot be asked.
class WaitLine {
 public:
  explicit WaitLine(const std::string& text) {
    if (stderr_is_terminal()) std::fprintf(stderr, "%s …", printable(text, 60).c_str());
  }
  ~WaitLine() {
    if (stderr_is_terminal()) std::fputs("\r\033[K", stderr);
  }
  WaitLine(const WaitLine&) = delete;
  WaitLine& operator=(const WaitLine&) = delete;
};

Expected<void> write_figure(FigureData figure, ExportFormat format, const Options& options,
                            const std::stop_token& stop) {
  const ScaleOptions scale = options.scale_options();
  if (!is_data_format(format)) {
    const WaitLine line("drawing " + options.out);
    const UnwatchedWork work;
    DrawnFigureOptions drawn;
    drawn.scale = scale;
    drawn.dpi = options.dpi;
    drawn.width = options.width.value_or(0);
    drawn.cell_pixels = options.cell;
    drawn.dark = options.theme == "dark";
    drawn.colours = colour_map(options.colours).value_or(ColourMap::viridis);
    drawn.axes = options.axes;
    drawn.cache_as_share = options.unit == "percent";
    drawn.title = options.figure.title;
    drawn.font_size = options.figure.font_size;
    drawn.names = options.figure.labels;
    return draw_figure_file(figure, drawn, options.out);
  }
  return write_figure_data(options.out, prepared(std::move(figure), scale), stop);
}

/// Neither the file nor what npy and csv have beside it may be one that is read.
Expected<void> check_nothing_is_overwritten(const Options& options) {
  std::vector<InputFile> inputs;
  if (options.from.empty())
    inputs = options.run.input_files();
  else
    inputs.push_back({"--from", options.from});
  for (const std::string& file : options.compared) inputs.push_back({"--compare", file});
  NATSCOPE_CHECK(check_not_input(options.out, inputs));
  return check_not_input(options.out + ".json", inputs);
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const ExportFormat format, chosen_format(options));
  const auto kind = figure_kind(options.kind);
  if (!kind) return fail(ErrorCode::usage, "there is no kind \"" + options.kind + "\"");
  NATSCOPE_CHECK(check_format(*kind, format));
  NATSCOPE_CHECK(check_flags(options, *kind, format));
  std::optional<OutputStream> stream;
  if (is_stream(options.out)) {
    NATSCOPE_TRY(stream, OutputStream::open(options.out, context.stop));
    if (stream->is_standard_output() && context.json)
      return fail(ErrorCode::usage, "--json and --out both want standard output", "leave --json out");
  } else {
    NATSCOPE_CHECK(check_writable_target(options.out));
    NATSCOPE_CHECK(check_nothing_is_overwritten(options));
  }
  NATSCOPE_TRY(FigureData figure, options.from.empty() ? figure_from_model(*kind, options, context.stop)
                                                       : figure_from_file(*kind, options));
  NATSCOPE_CHECK(add_compared(figure, options));
  NATSCOPE_CHECK(check(context.stop));
  if (stream) {
    NATSCOPE_CHECK(stream_figure_data(
        prepared(std::move(figure), options.scale_options()), format,
        [&stream](std::string_view piece) { return stream->write(piece); }, context.stop));
    if (stream->is_standard_output()) return {};
  } else {
    NATSCOPE_CHECK(write_figure(std::move(figure), format, options, context.stop));
  }
  return context.json ? print_json({{"out", options.out}, {"kind", options.kind}})
                      : print_text("wrote " + printable(options.out) + "\n");
}

}  // namespace

void add_export_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      root, "export",
      "Draw or write a heatmap, role map, KV curve, coloured text, table of heads or of the vocabulary, or the maps of "
      "all heads and what they attend to");
  options->add_to(*command);
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
