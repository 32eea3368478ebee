// SPDX-License-Identifier: GPL-3.0-or-later
/// Pass keys at every depth of documents of several lengths, and how many of them a model finds again.
///
/// Source of the task: section 9 of the rules; documents as core/train/text/passkey.h makes them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/reproduce/study_row.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/text/passkey.h"

namespace natscope {
class Engine;
}

namespace natscope::reproduce {

struct PasskeyGrid {
  std::vector<std::int64_t> lengths;      ///< of documents, tokens
  int depths = 5;                         ///< parts of a document, of equal size
  int documents = 8;                      ///< of each length
  int keys = train::passkeys_by_default;  ///< of each document; one alone goes through the depths in turn
};

struct GridDocument {
  std::int64_t length = 0;  ///< one of the grid's
  train::PasskeyDocument document;
};

/// Documents with keys hidden in `text`, behind the beginning token that the model gets. A function of all arguments.
/// Errors: bad_data (lengths without room for a key).
[[nodiscard]] Expected<std::vector<GridDocument>> passkey_documents(const PasskeyGrid& grid,
                                                                    std::span<const std::int32_t> text,
                                                                    const Tokenizer& tokenizer,
                                                                    std::optional<std::int32_t> bos);

/// Asks for all keys, each document with a fresh cache under the policy for its length. Cells by length, then depth.
/// Errors: as score_segment.
[[nodiscard]] Expected<std::vector<PasskeyCell>> score_passkeys(
    Engine& engine, const PasskeyGrid& grid, std::span<const GridDocument> documents,
    const std::function<Policy(std::int64_t length)>& policy, const StopToken& stop);

}  // namespace natscope::reproduce
