// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/watched_prefill.h"

#include <utility>

#include "app/cli/terminal/note.h"
#include "app/cli/terminal/terminal.h"
#include "core/base/grouped_digits.h"

namespace natscope {

Expected<void> watched_prefill(Engine& engine, std::span<const std::int32_t> tokens, PrefillOptions options,
                               std::stop_token stop) {
  ProgressBar bar("prefill", "tokens");
  options.on_progress = [&bar](std::int64_t done, std::int64_t total) { bar.update(done, total); };
  return engine.prefill(tokens, options, std::move(stop));
}

void note_full_context(const Engine& engine, std::int64_t generated, std::int64_t wanted) {
  print_note("stopped after " + grouped_digits(generated) + " of " + grouped_digits(wanted) +
             " tokens: the context of " + grouped_digits(engine.config().context) + " is full");
}

}  // namespace natscope
