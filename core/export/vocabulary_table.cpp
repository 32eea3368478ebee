// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/vocabulary_table.h"

#include <array>
#include <optional>

#include "core/cache/policy.h"

namespace natscope {
namespace {

constexpr std::array columns{
    TableColumn{"token", "Id", "Its number in the vocabulary.", TableUnit::number},
    TableColumn{"text", "Token", "How it reads.", TableUnit::text},
    TableColumn{"occurrences", "Times", "How often it occurs in the text.", TableUnit::number},
    TableColumn{"global_share", "Global", "How often it is kept for ever, of all its occurrences in the heads counted.",
                TableUnit::share},
    TableColumn{"local_share", "Local", "How often it is kept until the head's next Global.", TableUnit::share},
    TableColumn{"sliding_share", "Sliding", "How often it is kept for a window.", TableUnit::share},
    TableColumn{"held_share", "Still held", "How many of its occurrences the cache holds after the last token.",
                TableUnit::share},
    TableColumn{"mean_life", "Life",
                "Mean number of later tokens that it could be seen by. What is still held counts with its age so far: "
                "then the mean is a lower bound.",
                TableUnit::tokens},
    TableColumn{"cache_share", "Of the cache",
                "Its share of the cache while the text was read: of the entries held after each token, all of them "
                "together.",
                TableUnit::share},
    TableColumn{"global_cache_share", "Of the cache as Global", "What of that it took as a Global.", TableUnit::share,
                false},
    TableColumn{"local_cache_share", "Of the cache as Local", "What of that it took as a Local.", TableUnit::share,
                false},
    TableColumn{"sliding_cache_share", "Of the cache as Sliding", "What of that it took as a Sliding token.",
                TableUnit::share, false},
    TableColumn{"mean_loss", "Loss",
                "How surprising it was on average: -ln of the probability that the model gave it, in nats.",
                TableUnit::nats},
    // On screen it is a sign in front of the life.
    TableColumn{"life_is_cut", "Life is cut",
                "1 where some of its occurrences are still held: mean_life is then a lower bound.", TableUnit::number,
                false},
};

}  // namespace

FigureTable vocabulary_table(std::span<const VocabularyItem> items, std::int64_t held_steps, const std::string& policy,
                             const TokenNames& name_of) {
  FigureTable table{columns};
  table.cells.reserve(items.size() * columns.size());
  const bool knows_roles = has_roles(policy);
  for (const VocabularyItem& item : items) {
    const bool is_cut = item.held_cells > 0;
    table.add(item.token);
    table.add(item.text.empty() && name_of ? name_of(item.token) : item.text);
    table.add(static_cast<double>(item.occurrences));
    for (const Role role : {Role::global, Role::local, Role::sliding})
      table.add(knows_roles ? std::optional(item.role_share(role)) : std::nullopt);
    table.add(item.held_share());
    table.add(item.mean_life(), is_cut);
    const auto cache_share = [held_steps](std::int64_t steps) {
      return held_steps > 0 ? static_cast<double>(steps) / static_cast<double>(held_steps) : 0.0;
    };
    table.add(cache_share(item.held_steps()));
    for (const std::int64_t steps : item.role_steps)
      table.add(knows_roles ? std::optional(cache_share(steps)) : std::nullopt);
    table.add(item.mean_loss());
    table.add(is_cut ? 1 : 0);
  }
  return table;
}

}  // namespace natscope
