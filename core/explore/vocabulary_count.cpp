// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/vocabulary_count.h"

#include <algorithm>
#include <numeric>

#include "core/explore/run_figures.h"

namespace natscope {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

std::int64_t VocabularyItem::cells() const {
  return std::accumulate(role_cells.begin(), role_cells.end(), std::int64_t{0});
}

std::int64_t VocabularyItem::held_steps() const {
  return std::accumulate(role_steps.begin(), role_steps.end(), std::int64_t{0});
}

double VocabularyItem::role_share(Role role) const {
  return share(role_cells[static_cast<std::size_t>(role)], cells());
}

double VocabularyItem::held_share() const { return share(held_cells, cells()); }
double VocabularyItem::mean_life() const { return share(life_tokens, cells()); }

std::optional<double> VocabularyItem::mean_loss() const {
  if (predicted == 0) return std::nullopt;
  return loss / static_cast<double>(predicted);
}

namespace {

/// What a token is called by what it adds to the text. One that adds different things, or sometimes nothing, is a part
/// of a character: it completes now this one and now that one, and has no text of its own.
void take_text(const std::string& text, bool is_first, VocabularyItem& item) {
  if (is_first || text == item.text) {
    item.text = text;
  } else if (text == " " + item.text) {
    item.text = text;
  } else if (item.text != " " + text) {
    item.text.clear();
  }
}

}  // namespace

void VocabularyCount::begin(const SequenceRecord& record, std::int64_t tokens) {
  text_.clear();
  for (const TokenFrame& frame : record.frames().first(static_cast<std::size_t>(std::min(tokens, record.size())))) {
    const auto [found, is_new] = index_.try_emplace(frame.token, items_.size());
    if (is_new) items_.emplace_back().token = frame.token;
    VocabularyItem& item = items_[found->second];
    text_.push_back(found->second);
    ++item.occurrences;
    take_text(frame.text, is_new, item);
    if (const auto loss = token_loss(frame)) {
      item.loss += *loss;
      ++item.predicted;
    }
  }
}

void VocabularyCount::add_head(const SequenceRecord& record, LayerId layer, KvHeadId kv_head) {
  const std::int64_t tokens = std::min(static_cast<std::int64_t>(text_.size()), record.size());
  if (tokens == 0) return;
  const auto roles = record.roles(layer, kv_head);
  const auto last_query = record.last_query(layer, kv_head);
  for (std::int64_t n = 0; n < tokens; ++n) {
    const auto at = static_cast<std::size_t>(n);
    VocabularyItem& item = items_[text_[at]];
    const auto role = static_cast<std::size_t>(roles[at]);
    ++item.role_cells[role];
    // Dropped after the last query that sees it: where that is the text's last token, nothing is held any more.
    const std::int64_t last = last_query[at];
    if (last >= tokens) ++item.held_cells;
    item.life_tokens += std::min(last, tokens - 1) - n;
    const std::int64_t steps = std::min(last, tokens) - n;
    item.role_steps[role] += steps;
    held_steps_ += steps;
  }
}

std::vector<VocabularyItem> VocabularyCount::ranked() const {
  std::vector<VocabularyItem> items = items_;
  std::stable_sort(items.begin(), items.end(), [](const VocabularyItem& a, const VocabularyItem& b) {
    return a.held_steps() > b.held_steps() || (a.held_steps() == b.held_steps() && a.occurrences > b.occurrences);
  });
  return items;
}

void VocabularyCount::add(const SequenceRecord& record) {
  begin(record, record.size());
  for (std::int32_t layer = 0; layer < record.geometry().layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < record.geometry().kv_heads; ++kv_head)
      add_head(record, LayerId(layer), KvHeadId(kv_head));
  }
}

}  // namespace natscope
