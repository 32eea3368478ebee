// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/export_flags.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cli/flags/length_flag.h"
#include "app/cli/terminal/note.h"
#include "app/cli/terminal/output_stream.h"

namespace natscope {
namespace {

/// A flag that means nothing for some kinds, and whether it was given another value than its default.
struct KindFlag {
  const char* name;
  std::vector<FigureKind> kinds;
  bool (*is_set)(const ExportFlags& options);
};

constexpr FigureKind attention = FigureKind::attention;
constexpr FigureKind mask = FigureKind::mask;
constexpr FigureKind overview = FigureKind::overview;

/// The one table of which flag belongs to which kind.
const std::vector<KindFlag> kind_flags{
    {"--scale", {attention, overview}, [](const ExportFlags& o) { return o.scale != "linear"; }},
    {"--clip", {attention, overview}, [](const ExportFlags& o) { return o.clip != 100; }},
    {"--range", {attention, overview, FigureKind::text}, [](const ExportFlags& o) { return o.range.has_value(); }},
    {"--normalise", {attention}, [](const ExportFlags& o) { return o.normalise != "none"; }},
    {"--hide-sink", {attention, mask, overview}, [](const ExportFlags& o) { return o.hide_sink; }},
    {"--colours",
     {attention, mask, overview, FigureKind::heads, FigureKind::statistics},
     [](const ExportFlags& o) { return o.colours != "viridis"; }},
    {"--axes tokens", {attention, mask, FigureKind::roles}, [](const ExportFlags& o) { return o.axes == "tokens"; }},
    {"--cell", {attention, mask, FigureKind::roles}, [](const ExportFlags& o) { return o.cell > 0; }},
    {"--unit", {FigureKind::kv}, [](const ExportFlags& o) { return o.unit != "bytes"; }},
    {"--surprise", {FigureKind::text}, [](const ExportFlags& o) { return o.surprise; }},
    {"--compare",
     {FigureKind::kv, FigureKind::roles, FigureKind::text, FigureKind::statistics},
     [](const ExportFlags& o) { return !o.compared.empty(); }},
};

std::string listed(const std::vector<FigureKind>& kinds) {
  std::string text;
  for (const FigureKind& kind : kinds) {
    const bool is_last = &kind == &kinds.back();
    text += (text.empty() ? "" : is_last ? " and " : ", ") + std::string(name(kind));
  }
  return text;
}

Expected<void> check_kind(const ExportFlags& options, FigureKind kind) {
  if ((kind == overview || kind == FigureKind::statistics) && options.head_option->count() > 0)
    return fail(ErrorCode::usage, std::string("--kind ") + name(kind) + " shows all heads, --head chooses one",
                "leave --head out, or use --kind attention");
  for (const KindFlag& flag : kind_flags) {
    if (!flag.is_set(options) || std::ranges::find(flag.kinds, kind) != flag.kinds.end()) continue;
    return fail(ErrorCode::usage,
                std::string(flag.name) + " is for " + listed(flag.kinds) + ", not for --kind " + name(kind),
                "leave it out");
  }
  return {};
}

/// What belongs to a text by its losses, and what does not. Errors: usage.
Expected<void> check_comparison(const ExportFlags& options, FigureKind kind, ExportFormat format) {
  if (options.surprise && options.one_head())
    return fail(ErrorCode::usage,
                "--surprise colours by the losses of the whole model, --layer and --head choose a head",
                "leave them out, or leave --surprise out");
  if (kind == FigureKind::text && !options.surprise) {
    for (const auto& [flag, is_set] :
         {std::pair{"--compare", !options.compared.empty()}, {"--range", options.range.has_value()}}) {
      if (is_set)
        return fail(ErrorCode::usage, std::string(flag) + " is for a text's losses", "add --surprise, or leave it out");
    }
  }
  if (kind != FigureKind::kv && options.compared.size() > 1)
    return fail(ErrorCode::usage, "one run at a time can be compared, but in a KV curve", "give --compare once");
  if (options.compared.size() > most_compared)
    return fail(ErrorCode::usage, "more than " + std::to_string(most_compared) + " runs beside one",
                "compare fewer in one figure");
  if (kind == FigureKind::kv && !options.compared.empty() && is_data_format(format)) {
    return fail(ErrorCode::usage, "--compare puts caches beside each other in a drawn KV curve only",
                "use a file that ends in .png, .svg or .pdf");
  }
  return {};
}

/// A file holds a run that is over: what would have made another one cannot be heeded.
Expected<void> check_source(const ExportFlags& options) {
  if (options.from.empty()) return {};
  if (options.run.has_text()) return fail(ErrorCode::usage, "--from and a prompt exclude each other");
  const std::vector<std::string> flags = options.run.flags_of_the_run();
  if (flags.empty()) return {};
  std::string all;
  for (const std::string& flag : flags) all += (all.empty() ? "" : ", ") + flag;
  return fail(ErrorCode::usage, "--from draws a run that is over, " + all + " would make another one",
              "leave " + std::string(flags.size() == 1 ? "it" : "them") + " out, or give a prompt in place of --from");
}

void remark_needless(const ExportFlags& options, FigureKind kind) {
  const bool is_map = kind == attention || kind == mask;
  const bool is_text = kind == FigureKind::text;
  if ((!is_map && options.queries) || (!is_map && !is_text && options.keys)) {
    print_note(is_text
                   ? "--queries choose a part of attention and mask; --keys chooses the tokens of a text"
                   : "--queries and --keys choose a part of attention and mask; " + options.kind + " is written whole");
  }
  const bool has_head = is_map || is_text || kind == FigureKind::vocabulary;
  if (!has_head && kind != overview && kind != FigureKind::statistics && options.one_head())
    print_note("--layer and --head choose a map or a head's text or vocabulary; " + std::string(name(kind)) +
               " is of all heads");
}

Unexpected not_passed_on(const std::string& out) {
  return fail(ErrorCode::usage, "to " + printable(out) + " only csv and json can be written",
              "say --format csv or --format json, or give --out a file's name");
}

}  // namespace

Expected<ExportFormat> chosen_format(const ExportFlags& options) {
  auto by_ending = export_format(options.out);
  if (options.format.empty()) {
    if (!is_stream(options.out)) return by_ending;
    if (!by_ending) return not_passed_on(options.out);
  }
  const auto format = options.format.empty() ? by_ending : named_format(options.format);
  if (!format) return format;
  if (is_stream(options.out)) {
    const bool is_text = *format == ExportFormat::csv || *format == ExportFormat::json;
    if (!is_text) return not_passed_on(options.out);
    return *format;
  }
  if (by_ending && *by_ending == *format) return *format;
  return fail(ErrorCode::usage,
              "--format " + options.format + " and the ending of " + printable(options.out) + " differ",
              "end the file's name in ." + options.format);
}

Expected<void> check_flags(const ExportFlags& options, FigureKind kind, ExportFormat format) {
  NATSCOPE_CHECK(check_kind(options, kind));
  NATSCOPE_CHECK(check_source(options));
  NATSCOPE_CHECK(check_comparison(options, kind, format));
  // A range that is none is wrong usage, whatever the text turns out to hold.
  for (const auto& range : {options.queries, options.keys}) {
    if (!range) continue;
    if (auto parsed = parse_range(*range, INT32_MAX); !parsed && parsed.error().code == ErrorCode::usage) {
      return Unexpected(std::move(parsed).error());
    }
  }
  NATSCOPE_CHECK(options.figure.check());
  if (!options.figure.labels.empty() && (options.compared.empty() || is_data_format(format)))
    return fail(ErrorCode::usage, "--label names the runs of a drawn comparison",
                options.compared.empty() ? "add --compare, or leave it out" : "leave it out");
  if (options.figure.labels.size() > options.compared.size() + 1)
    return fail(ErrorCode::usage,
                std::to_string(options.figure.labels.size()) + " labels for " +
                    std::to_string(options.compared.size() + 1) + " runs",
                "leave some out");
  if (options.width && options.cell > 0)
    return fail(ErrorCode::usage, "--width and --cell both say how wide the figure is", "leave one of them out");
  if (options.range) {
    if (options.clip != 100)
      return fail(ErrorCode::usage, "--range and --clip both say where the colours end", "leave one of them out");
    NATSCOPE_CHECK(parse_fixed_range(*options.range, options.scale_options().kind));
  }
  remark_needless(options, kind);
  return {};
}

ScaleOptions ExportFlags::scale_options() const {
  ScaleOptions options{scale == "log" ? ScaleKind::log : ScaleKind::linear, clip,
                       normalise == "row" ? Normalise::row : Normalise::none, hide_sink};
  if (range) {
    if (auto fixed = parse_fixed_range(*range, options.kind)) options.range = *fixed;
  }
  return options;
}

void ExportFlags::add_what(CLI::App& command) {
  command
      .add_option(
          "--kind", kind,
          "What to show: attention or mask (a map of one head), roles (of all tokens and heads), kv (entries held "
          "over time), text (tokens coloured by their roles in a head, with --layer and --head, by the share of heads "
          "that hold them, or with --surprise by their losses; not as npy), heads (a table of what each KV head "
          "keeps; drawn: a matrix of layers by heads for each number), vocabulary (which tokens are kept, counted by "
          "what they are, with --layer and --head in one head; drawn: which take most of the cache; not as npy), "
          "overview (the maps of all heads side by side; not as csv) or statistics (a table of what each query head "
          "attends to; drawn as heads)")
      ->required()
      ->check(
          CLI::IsMember({"attention", "mask", "roles", "kv", "text", "heads", "vocabulary", "overview", "statistics"}))
      ->type_name("KIND");
  command
      .add_option(
          "--out", out,
          "File to write; its ending says how: png, svg, pdf, npy, csv or json; -: standard output, for csv and "
          "json, with --format")
      ->required()
      ->type_name("FILE");
  command.add_option("--format", format, "Format of --out, where no ending says it; to - or a pipe csv or json")
      ->check(CLI::IsMember({"npy", "csv", "json", "png", "svg", "pdf"}))
      ->type_name("NAME");
  command.add_option("--from", from, "A trace or session file; without it a model and a prompt")->type_name("FILE");
  command
      .add_option(
          "--compare", compared,
          "Another run, from its trace or session. kv: its cache in the same figure, up to 3; text with --surprise: "
          "colours by how the losses differ; roles: which of the two caches holds what; statistics: how much of this "
          "run's attention lies on what that one had dropped")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void ExportFlags::add_part(CLI::App& command) {
  const auto index = CLI::Range(0, INT32_MAX);
  layer_option =
      command
          .add_option("--layer", layer,
                      "Layer of the map; overview, statistics: only this layer; text, vocabulary: layer of the head")
          ->check(index)
          ->type_name("L")
          ->capture_default_str();
  head_option = command.add_option("--head", head, "Query head of the map; text, vocabulary: whose roles to show")
                    ->check(index)
                    ->type_name("H")
                    ->capture_default_str();
  command.add_option("--queries", queries, "Only these query positions, the end not included")->type_name("A:B");
  command.add_option("--keys", keys, "Only these key positions, the end not included; text: only these tokens")
      ->type_name("A:B");
}

void ExportFlags::add_colours(CLI::App& command) {
  command.add_option("--scale", scale, "Scale of the colours")
      ->check(CLI::IsMember({"linear", "log"}))
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--clip", clip, "The colours end at this percentile of the visible cells")
      ->check(number_within(0.001, 100))
      ->type_name("P")
      ->capture_default_str();
  command
      .add_option("--range", range,
                  "The weights at the ends of the colours, so that figures compare; with --scale log LO > 0. text: the "
                  "losses, or the sizes of their differences, in nats")
      ->type_name("LO:HI");
  command
      .add_option("--normalise", normalise, "What weights are divided by; row: the largest of their row, within --keys")
      ->check(CLI::IsMember({"row", "none"}))
      ->type_name("NAME")
      ->capture_default_str();
  command.add_flag("--hide-sink", hide_sink,
                   "Mask key 0, so that it decides no colour (csv, npy, json: 0); overview: its first column of cells");
  command.add_flag("--surprise", surprise,
                   "text: coloured by each token's loss, -ln of the probability that the model gave it, in nats");
}

void ExportFlags::add_drawing(CLI::App& command) {
  command.add_option("--dpi", dpi, "Resolution of a png, dots an inch")
      ->check(number_within(36, 2400))
      ->type_name("N")
      ->capture_default_str();
  add_width_option(command, width,
                   "Width of a figure, 20mm to 2000mm, for example a journal's column: 89mm, 18.3cm, 3.5in or 252pt; "
                   "texts keep their sizes. Where a map then has more cells than pixels, a pixel is the largest weight "
                   "that it covers");
  command
      .add_option("--cell", cell,
                  "attention, mask, roles: every cell N pixels wide, however wide that is. Without it a role map is as "
                  "wide as a page, and a column the mean colour of the tokens that it covers")
      ->check(CLI::Range(1, 100))
      ->type_name("N");
  command.add_option("--theme", theme, "Colours of paper and ink")
      ->check(CLI::IsMember({"light", "dark"}))
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--colours", colours, "Colour map of attention, mask, overview, heads and statistics")
      ->check(CLI::IsMember({"viridis", "magma", "cividis"}))
      ->type_name("NAME")
      ->capture_default_str();
  command
      .add_option("--unit", unit,
                  "Of a kv figure: bytes (entries, where their size is not known), or percent of what full attention "
                  "holds after each token")
      ->check(CLI::IsMember({"bytes", "percent"}))
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--axes", axes, "Labels; auto: tokens where they fit, else positions")
      ->check(CLI::IsMember({"auto", "tokens", "positions"}))
      ->type_name("NAME")
      ->capture_default_str();
  figure.add_to(command,
                "What the runs of --compare are called in the figure, this one first; an empty one: as it is called "
                "by itself",
                "NAME");
}

void ExportFlags::add_to(CLI::App& command) {
  const auto grouped = [&command](const char* group, const auto& add) {
    const std::size_t before = command.get_options().size();
    add();
    const std::vector<CLI::Option*> all = command.get_options();
    for (std::size_t i = before; i < all.size(); ++i) all[i]->group(group);
  };
  grouped("What is shown", [&] { add_what(command); });
  grouped("Which part of it", [&] { add_part(command); });
  grouped("Colours", [&] { add_colours(command); });
  grouped("Drawing", [&] { add_drawing(command); });
  grouped("The run, without --from", [&] { run.add_to(command); });
  command.footer(
      "overview as npy is F32 [layers, heads, S, S]. S is the cells of a side, at most 256; a cell is the largest of "
      "the n x n weights that it stands for: n = 1 up to 256 tokens, 2 up to 512, 4 up to 1024 and so on "
      "(cell_tokens in FILE.json). 0: masked; NaN: a map that the trace does not hold.\n"
      "A role is 0 Global, 1 Local or 2 Sliding. Under h2o, tova, snapkv, pyramidkv and adakv tokens have no roles "
      "(all "
      "are 0); csv and json then also say held: 1 where the KV head holds the token after the last one.\n"
      "roles with --compare: 0 neither holds the token after the last one that both have, 1 both do, 2 this run "
      "only, 3 the compared one only; csv has a column for each of the two.\n"
      "heads: mean_local_life is a lower bound where local_life_is_cut is 1, the text ended before some Local did.\n"
      "vocabulary: a row a token that occurs, those first that took most of the cache (cache_share: of the entries "
      "held after each token, all together); shares and mean_life are of its occurrences in the heads counted. eval "
      "--vocabulary counts a longer text.\n"
      "statistics: means over queries of a head's entropy (in nats; attended_keys is e to it), of the weights on "
      "position 0 and on the query itself, and of the distance to what they attend to (weight times tokens back, "
      "summed); over all queries of up to 2896 tokens, over an even sample of a longer text (queries).\n"
      "statistics with --compare: lost is the mean share of a query's weight in this run that lies on entries which "
      "the compared run had dropped by then, over the queries that both have (compared_queries). It is 1 less the "
      "attention recall of that run's policy where this run has full attention (--policy full): what this run dropped "
      "itself has no weight to lose.");
}

}  // namespace natscope
