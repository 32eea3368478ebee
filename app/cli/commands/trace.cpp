// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/commands/recorded_run.h"
#include "app/cli/terminal/note.h"
#include "app/cli/terminal/terminal.h"
#include "core/base/atomic_file.h"
#include "core/base/grouped_digits.h"
#include "core/session/row_spool.h"
#include "core/session/trace_file.h"

namespace natscope {
namespace {

/// Room for the queries and keys that maps are computed from; a layer beyond it is computed again.
constexpr std::int64_t map_store_bytes = 4LL << 30U;

struct Options {
  RecordedRunFlags run;
  std::string out;
  std::string attention;
  bool logits = false;
  bool scores = false;
};

/// The maps of `L.H,L.H…` or `all`. Errors: usage, bad_layer, bad_head.
Expected<std::vector<MapId>> chosen_maps(const std::string& text, const ModelConfig& config) {
  std::vector<MapId> maps;
  if (text.empty()) return maps;
  if (text == "all") {
    for (std::int32_t layer = 0; layer < config.layers; ++layer) {
      for (std::int32_t head = 0; head < config.heads; ++head) maps.push_back({LayerId(layer), HeadId(head)});
    }
    return maps;
  }
  auto parsed = parse_maps(text);
  if (!parsed) {
    return fail(ErrorCode::usage, "--attention takes LAYER.HEAD,LAYER.HEAD,… or all, not \"" + printable(text) + "\"");
  }
  for (const MapId& map : *parsed) {
    NATSCOPE_CHECK(check_map(map, config));
    if (std::ranges::find(maps, map) == maps.end()) maps.push_back(map);  // a file has each once
  }
  return maps;
}

/// Maps grow with the square of the text: what takes long to write is said first.
void remark_size(std::size_t maps, std::int64_t tokens) {
  constexpr double bytes_a_cell = sizeof(float) + sizeof(std::uint8_t);
  constexpr double much_bytes = 1e9;
  const double bytes =
      static_cast<double>(maps) * static_cast<double>(tokens) * static_cast<double>(tokens) * bytes_a_cell;
  if (bytes < much_bytes) return;
  std::array<char, 32> gigabytes{};
  std::snprintf(gigabytes.data(), gigabytes.size(), "%.1f GB", bytes / 1e9);
  print_note(std::to_string(maps) + " maps of " + grouped_digits(tokens) + " tokens take " + gigabytes.data() +
             ": --attention LAYER.HEAD,… keeps single ones");
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_CHECK(check_writable_target(options.out));
  NATSCOPE_CHECK(check_not_input(options.out, options.run.input_files()));
  std::optional<RowSpool> spool;
  if (options.logits) {
    NATSCOPE_TRY(spool, RowSpool::create(std::filesystem::absolute(options.out).parent_path()));
  }
  RunNeeds needs;
  needs.trace_store_bytes = options.attention.empty() ? 0 : map_store_bytes;
  needs.probabilities = true;
  if (spool) needs.logits = [&spool](std::span<const float> rows) { return spool->append(rows); };

  std::vector<MapId> maps;
  const auto check_model = [&](const Engine& engine) -> Expected<void> {
    NATSCOPE_TRY(maps, chosen_maps(options.attention, engine.config()));
    return {};
  };
  NATSCOPE_TRY(const auto run, options.run.run(needs, check_model, context.stop));
  const Engine& engine = *run.engine;

  TraceContent content;
  content.record = &engine.record();
  content.provenance = run.provenance;
  content.provenance.maps = maps;
  content.prompt_tokens = run.prompt_tokens;
  content.with_scores = options.scores;
  content.vocab = engine.config().vocab;
  content.name_of = [&engine](std::int32_t token) { return engine.tokenizer().display(token); };
  if (spool) content.logits = [&spool](const TensorSink& sink) { return spool->produce(sink); };
  if (!maps.empty()) {
    content.map_rows = [&](const MapId& map, TokenPos first, std::int64_t n, std::span<float> weights,
                           std::span<std::uint8_t> visible) {
      const std::array sizes{n, engine.record().size()};
      return engine.weights(map.layer, map.head, first, TokenPos(0),
                            kernels::View<float, 2>::packed(weights.data(), sizes),
                            kernels::View<std::uint8_t, 2>::packed(visible.data(), sizes), context.stop);
    };
  }
  remark_size(maps.size(), engine.record().size());
  NATSCOPE_CHECK(write_trace(options.out, content));

  const CacheCounts counts = engine.counts();
  if (context.json) {
    return print_json({{"out", options.out},
                       {"tokens", counts.tokens},
                       {"prompt_tokens", run.prompt_tokens},
                       {"maps", maps.size()},
                       {"fraction", counts.fraction},
                       {"stop_reason", name(run.reason)}});
  }
  return print_text("wrote " + printable(options.out) + ": " + grouped_digits(counts.tokens) + " tokens, " +
                    std::to_string(maps.size()) + " maps\n");
}

}  // namespace

void add_trace_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "trace", "Run a prompt and write everything that was seen to one file");
  command->add_option("--out", options->out, "Safetensors file to write")->required()->type_name("FILE");
  options->run.add_to(*command);
  command->add_flag("--logits", options->logits, "Keep logits F32 [T, vocab]");
  command->add_flag("--scores", options->scores, "Keep role scores F32 [layers, kv_heads, T, 3], before the bias");
  command->add_option("--attention", options->attention, "Keep these heads' maps: LAYER.HEAD,LAYER.HEAD,… or all")
      ->type_name("MAPS");
  command->footer(
      "Always in the file: tokens I64 [T], roles U8 [layers, kv_heads, T] (0 Global, 1 Local, 2 Sliding), kv_entries "
      "I32 [T, layers, kv_heads], kv_allocated_bytes I64 [T], and probability F32 [T], which the model gave each "
      "token before it came (0: not known, as of the first; 1.4e-45 at least): -ln of it is the token's loss. Under "
      "h2o, tova, snapkv, pyramidkv and adakv, whose tokens have no roles, also what they dropped: evicted I32 "
      "[entries, 3] (layer, KV head, position) and evicted_ends I64 [T], where each step's entries end. Under the last "
      "three a prompt's rows of kv_entries hold all that was read, up to its last token's, behind which the cache was "
      "compressed.\n"
      "Metadata: where it comes from; token_texts, a JSON array of T strings, what each token adds to the text; and "
      "token_names, a JSON object of names for tokens that add nothing, by their id.\n"
      "Other programs write such files with natscope_trace.py (share/natscope/python; resources/python in the source): "
      "of learned roles, or of any method by what it dropped.");
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
