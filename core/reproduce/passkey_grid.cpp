// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/passkey_grid.h"

#include <algorithm>
#include <map>

#include "core/engine/engine.h"
#include "core/engine/text_score.h"

namespace natscope::reproduce {
namespace {

/// No training reads documents of this seed, unless its own is as far from 0.
constexpr std::uint64_t grid_seed = 0x6b65797321;

std::vector<PasskeyCell> empty_cells(const PasskeyGrid& grid) {
  std::vector<PasskeyCell> cells;
  for (const std::int64_t length : grid.lengths) {
    for (int depth = 0; depth < grid.depths; ++depth) {
      PasskeyCell cell;
      cell.length = length;
      cell.from = static_cast<double>(depth) / grid.depths;
      cell.until = static_cast<double>(depth + 1) / grid.depths;
      cells.push_back(cell);
    }
  }
  return cells;
}

PasskeyCell& cell_of(std::vector<PasskeyCell>& cells, std::int64_t length, double depth) {
  return *std::find_if(cells.begin(), cells.end(),
                       [&](const PasskeyCell& cell) { return cell.length == length && depth < cell.until; });
}

}  // namespace

Expected<std::vector<GridDocument>> passkey_documents(const PasskeyGrid& grid, std::span<const std::int32_t> text,
                                                      const Tokenizer& tokenizer, std::optional<std::int32_t> bos) {
  std::vector<GridDocument> documents;
  for (const std::int64_t length : grid.lengths) {
    for (int i = 0; i < grid.documents; ++i) {
      train::PasskeyForm form;
      form.length = length;
      form.keys = grid.keys;
      form.least_depth = 0.0;
      form.most_depth = 0.999;
      // Several keys fill every part of a document by chance; a single one leaves some to few documents.
      if (grid.keys == 1) {
        const int part = i % grid.depths;
        form.least_depth = static_cast<double>(part) / grid.depths;
        form.most_depth = (part + 0.999) / grid.depths;
      }
      form.seed = grid_seed + grid.seed;
      form.number = documents.size();
      NATSCOPE_TRY(auto document, train::passkey_document(text, form, tokenizer, bos));
      documents.push_back({length, std::move(document)});
    }
  }
  return documents;
}

std::int64_t prompt_tokens(const GridDocument& document, QuestionPlace place) {
  const train::PasskeyAnswer& first = document.document.answers.front();
  return place == QuestionPlace::behind ? first.asked : first.begin;
}

Expected<std::vector<PasskeyCell>> score_passkeys(Engine& engine, const PasskeyGrid& grid,
                                                  std::span<const GridDocument> documents, const PasskeyAsking& asking,
                                                  const StopToken& stop) {
  std::vector<PasskeyCell> cells = empty_cells(grid);
  std::map<std::int64_t, TextScore> of_length;
  std::vector<PredictedToken> predicted;
  std::int64_t done = 0;
  for (const GridDocument& document : documents) {
    ScoreOptions options;
    options.plan.policy = asking.policy(document.length);
    options.chunk = asking.chunk;
    options.prompt_tokens = prompt_tokens(document, asking.place);
    predicted.clear();
    options.on_token = [&predicted](const PredictedToken& token) { predicted.push_back(token); };
    NATSCOPE_CHECK(score_segment(engine, document.document.document.tokens, options, of_length[document.length], stop));
    for (const train::PasskeyAnswer& answer : document.document.answers) {
      PasskeyCell& cell = cell_of(cells, document.length, answer.depth);
      bool right = true;
      for (std::int64_t n = answer.begin; n < answer.end; ++n) {
        // The first prediction is of the token behind the prompt.
        const PredictedToken& token = predicted[static_cast<std::size_t>(n - options.prompt_tokens)];
        right = right && token.is_likeliest;
        ++cell.tokens;
        cell.tokens_right += token.is_likeliest ? 1 : 0;
        cell.nll += token.nll;
      }
      ++cell.answers;
      cell.right += right ? 1 : 0;
    }
    if (asking.on_done) asking.on_done(++done);
  }
  for (PasskeyCell& cell : cells) {
    if (const auto score = of_length.find(cell.length); score != of_length.end())
      cell.kv_fraction = score->second.kv_fraction();
  }
  return cells;
}

}  // namespace natscope::reproduce
