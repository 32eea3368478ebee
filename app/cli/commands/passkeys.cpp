// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/commands/drawn_figure.h"
#include "app/cli/commands/passkeys_report.h"
#include "app/cli/commands/picture_name.h"
#include "app/cli/flags/ask_flag.h"
#include "app/cli/flags/baseline_flags.h"
#include "app/cli/flags/input_files.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/policy_flag.h"
#include "app/cli/terminal/terminal.h"
#include "app/cli/terminal/text_stream.h"
#include "core/base/atomic_file.h"
#include "core/base/grouped_digits.h"
#include "core/base/resource_path.h"
#include "core/cache/policy_budget.h"
#include "core/cache/policy_names.h"
#include "core/io/model_folder.h"
#include "core/reproduce/passkey_grid.h"

namespace natscope {
namespace {

using reproduce::GridDocument;
using reproduce::PasskeyGrid;

constexpr std::int64_t longest_by_default = 1024;
constexpr const char* bundled_book = "sample/books/the-emerald-city-of-oz.txt";

struct Options {
  ModelFlags model;
  std::vector<std::string> files;
  PolicyListFlag policies;
  BaselineFlags baselines;
  AskFlag ask;
  std::vector<std::int64_t> lengths;
  int documents = 10;
  int depths = 5;
  int keys = 1;
  std::int64_t chunk = 512;
  std::string csv;
  std::string figure;
};

/// What the flags alone have wrong need not wait for the model. Errors: usage, those of the targets.
Expected<void> check_flags(const Options& options) {
  NATSCOPE_CHECK(options.policies.parsed());
  NATSCOPE_CHECK(options.baselines.check());
  if (!options.figure.empty()) NATSCOPE_CHECK(check_picture_name(options.figure));
  std::vector<InputFile> inputs = options.model.input_files();
  for (const std::string& file : options.files) inputs.push_back({"--text", file});
  return check_outputs({{"--csv", options.csv}, {"--figure", options.figure}}, inputs);
}

/// From short to long, each once. Errors: prompt_too_long.
Expected<std::vector<std::int64_t>> lengths_of(const Options& options, std::int64_t context) {
  const std::int64_t longest = std::min(context, longest_by_default);
  std::vector<std::int64_t> lengths = options.lengths;
  if (lengths.empty()) lengths = {longest / 4, longest / 2, longest};
  std::ranges::sort(lengths);
  lengths.erase(std::ranges::unique(lengths).begin(), lengths.end());
  if (lengths.back() <= context) return lengths;
  return fail(ErrorCode::prompt_too_long,
              "--lengths: " + grouped_digits(lengths.back()) + " tokens, but the model's context holds " +
                  grouped_digits(context),
              "ask in shorter documents");
}

/// The text that keys are hidden in, without beginning tokens. Errors: bad_text (too short), those of files.
Expected<std::vector<std::int32_t>> haystack(const Options& options, const ModelFolder& model, std::int64_t longest) {
  std::vector<std::string> files = options.files;
  if (files.empty()) files.push_back(resource_path(bundled_book).string());
  NATSCOPE_TRY(std::vector<std::int32_t> tokens, read_token_stream(model, files, 0));
  if (const auto bos = model.bos_id()) std::erase(tokens, *bos);
  if (std::ssize(tokens) >= longest) return tokens;
  return fail(ErrorCode::bad_text,
              "the text has " + grouped_digits(std::ssize(tokens)) + " tokens, and keys are to be hidden in " +
                  grouped_digits(longest),
              "give a longer text, or shorter --lengths");
}

/// What stands behind the prompts of documents of a length, at most: it is held, whatever was dropped before.
std::int64_t behind_prompt(std::span<const GridDocument> documents, std::int64_t length, QuestionPlace place) {
  std::int64_t most = 0;
  for (const GridDocument& document : documents) {
    if (document.length == length)
      most = std::max(most, std::ssize(document.document.document.tokens) - prompt_tokens(document, place));
  }
  return most;
}

/// A policy that holds a share of a document after its last token, as far as it can.
Policy at_share(Policy::Kind kind, double share, std::int64_t length, std::int64_t behind) {
  if (!drops_behind_prompt(kind)) return policy_at_budget(kind, share, length);
  const std::int64_t prompt = length - behind;
  const double left = share * static_cast<double>(length) - static_cast<double>(behind);
  return policy_at_budget(kind, left / static_cast<double>(prompt), prompt);
}

class Asking {
 public:
  Asking(Engine& engine, const Options& options, PasskeyGrid grid, std::vector<GridDocument> documents)
      : engine_(engine), options_(options), grid_(std::move(grid)), documents_(std::move(documents)) {}

  /// Errors: usage (a position behind every document), those of scoring.
  [[nodiscard]] Expected<std::vector<AskedPolicy>> all(const std::stop_token& stop) {
    for (const PolicyFlag& option : options_.policies.each()) {
      NATSCOPE_TRY(const Policy policy, option.policy(grid_.lengths.back()));
      NATSCOPE_CHECK(ask(to_string(policy), policy.kind, stop, [&](std::int64_t, QuestionPlace) { return policy; }));
    }
    const AskedPolicy first = reference();
    for (const Baseline& baseline : options_.baselines.each()) {
      const std::string name = std::string(policy_name(baseline.kind)) + " at " + baseline.budget;
      NATSCOPE_CHECK(ask(name, baseline.kind, stop, [&](std::int64_t length, QuestionPlace place) {
        const double share = BaselineFlags::share(baseline.budget, fraction_of(first, length), 0);
        return at_share(baseline.kind, share, length, behind_prompt(documents_, length, place));
      }));
    }
    return std::move(asked_);
  }

 private:
  using PolicyOf = std::function<Policy(std::int64_t length, QuestionPlace place)>;

  static double fraction_of(const AskedPolicy& asked, std::int64_t length) {
    const auto cell = std::ranges::find(asked.cells, length, &reproduce::PasskeyCell::length);
    return cell->kv_fraction.value_or(1);
  }

  /// The first that drops something; without one, the first.
  [[nodiscard]] const AskedPolicy& reference() const {
    const auto drops = [](const AskedPolicy& asked) { return fraction_of(asked, asked.cells.back().length) < 1; };
    const auto found = std::ranges::find_if(asked_, drops);
    return found == asked_.end() ? asked_.front() : *found;
  }

  Expected<void> ask(const std::string& name, Policy::Kind kind, const std::stop_token& stop, const PolicyOf& policy) {
    std::vector<QuestionPlace> places{QuestionPlace::within};
    if (drops_behind_prompt(kind)) places = options_.ask.places();
    for (const QuestionPlace place : places) {
      AskedPolicy asked{name, {}, {}, {}};
      if (drops_behind_prompt(kind)) asked.place = place;
      for (const std::int64_t length : grid_.lengths) asked.policies.emplace(length, policy(length, place));
      ProgressBar bar("passkeys " + asked.label(), "documents");
      reproduce::PasskeyAsking asking;
      asking.policy = [&](std::int64_t length) { return asked.policies.at(length); };
      asking.place = place;
      asking.chunk = options_.chunk;
      asking.on_done = [&](std::int64_t done) { bar.update(done, std::ssize(documents_)); };
      NATSCOPE_TRY(asked.cells, score_passkeys(engine_, grid_, documents_, asking, stop));
      asked_.push_back(std::move(asked));
    }
    return {};
  }

  Engine& engine_;
  const Options& options_;
  PasskeyGrid grid_;
  std::vector<GridDocument> documents_;
  std::vector<AskedPolicy> asked_;
};

Expected<void> write_files(const Options& options, const std::vector<AskedPolicy>& asked,
                           const std::vector<nlohmann::json>& results, const ModelFolder& model) {
  if (!options.csv.empty()) NATSCOPE_CHECK(write_file_atomically(options.csv, passkeys_csv(asked)));
  if (options.figure.empty()) return {};
  GridChart chart = passkeys_chart(asked);
  const nlohmann::json provenance = {
      {"natscope_version", NATSCOPE_VERSION}, {"model_sha256", model.sha256()}, {"results", results}};
  chart.provenance = provenance.dump();
  return draw_grid_file(chart, {}, options.figure);
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_CHECK(check_flags(options));
  NATSCOPE_TRY(auto engine, open_engine(options.model, 0, context.stop));
  PasskeyGrid grid;
  NATSCOPE_TRY(grid.lengths, lengths_of(options, engine->config().context));
  grid.depths = options.depths;
  grid.documents = options.documents;
  grid.keys = options.keys;
  grid.seed = options.model.seed;
  NATSCOPE_TRY(const auto text, haystack(options, engine->folder(), grid.lengths.back()));
  NATSCOPE_TRY(auto documents, passkey_documents(grid, text, engine->tokenizer(), engine->folder().bos_id()));
  NATSCOPE_TRY(const auto asked, Asking(*engine, options, grid, std::move(documents)).all(context.stop));

  const AskedDocuments of{options.documents, options.keys};
  std::vector<nlohmann::json> results;
  for (const AskedPolicy& each : asked) results.push_back(passkeys_json(each, of));
  // What long work has found is said even where a file of it cannot be written.
  const Expected<void> written = write_files(options, asked, results, engine->folder());
  if (context.json) {
    NATSCOPE_CHECK(print_json(results.size() == 1 ? results.front() : nlohmann::json(results)));
  } else {
    NATSCOPE_CHECK(print_text(passkeys_table(asked, of)));
  }
  return written;
}

}  // namespace

void add_passkeys_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "passkeys", "Keys hidden in a long text, found again under cache policies");
  options->model.add_to(*command);
  command->add_option("--text", options->files, "Text that keys are hidden in; several are one; -: standard input")
      ->type_name("FILE")
      ->default_str("a bundled book");
  options->policies.add_to(*command, "are asked one after another");
  options->baselines.add_to(
      *command,
      {"Also ask baselines that hold these shares of a document, answers included, behind the other policies: "
       "0.125, or same, as much as the first policy that drops something; between commas",
       ""});
  options->ask.add_to(*command, "a document", true);
  command->add_option("--lengths", options->lengths, "Tokens of documents, keys, questions and answers included")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 27U))
      ->type_name("L1,L2,…")
      ->default_str("a quarter and a half of the context, and the whole, of at most 1024");
  command->add_option("--documents", options->documents, "Documents of each length")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--depths", options->depths, "Parts of a document that are told apart")
      ->check(CLI::Range(1, 100))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--keys", options->keys,
                   "Keys of a document, each asked for by its name; fewer where they would fill more than a third")
      ->check(CLI::Range(1, train::most_passkeys))
      ->type_name("N")
      ->capture_default_str();
  add_chunk_option(*command, options->chunk);
  command->add_option("--csv", options->csv, "Write the result there, too: a line for each policy, length and depth")
      ->type_name("FILE");
  command
      ->add_option("--figure", options->figure,
                   "Draw there, as svg, pdf or png, a grid of lengths and depths for each policy; the numbers are in "
                   "its metadata")
      ->type_name("FILE");
  command->footer(
      "A document is a piece of the text with a sentence in it such as \"The pass key of the river is 12345. Remember "
      "it.\", and behind it the question and its answer. It is read token by token through the cache; a key is found "
      "where each of its tokens was the likeliest one when it came. All policies are asked the same documents, which "
      "--seed changes. KV fraction is what the cache holds after a document's last token, of what full attention would "
      "hold.\n"
      "Behind a prompt the first token is predicted by full attention, under SnapKV and its like, too: with --ask "
      "within that is the key's first.\n"
      "With several policies --json prints an array.\n"
      "What a policy loses when it does not know the question: natscope-cli passkeys --model DIR --policy full "
      "--budgets 0.1 --baselines streaming,h2o,snapkv --ask within --ask behind --figure keys.svg");
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
