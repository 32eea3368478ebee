// SPDX-License-Identifier: GPL-3.0-or-later
/// Pass keys at every depth of documents of several lengths, and how many of them a model finds again.
///
/// Source of the task: section 9 of the rules; documents as core/train/text/passkey.h makes them. A document is read as
/// it stands, its answers with it: a key is found where each of its tokens was the likeliest one when it came.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/engine/question_place.h"
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
  std::uint64_t seed = 0;                 ///< of the documents
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

/// Tokens of a document's prompt, which policies drop behind: all before the first question, or before its answer.
[[nodiscard]] std::int64_t prompt_tokens(const GridDocument& document, QuestionPlace place);

struct PasskeyAsking {
  std::function<Policy(std::int64_t length)> policy;  ///< for documents of that length
  QuestionPlace place = QuestionPlace::within;
  std::int64_t chunk = 512;                               ///< tokens a pass
  std::function<void(std::int64_t documents)> on_done{};  ///< after each document, so many; may be empty
};

/// Asks for all keys, each document with a fresh cache. Cells by length, then depth. Errors: as score_segment.
[[nodiscard]] Expected<std::vector<PasskeyCell>> score_passkeys(Engine& engine, const PasskeyGrid& grid,
                                                                std::span<const GridDocument> documents,
                                                                const PasskeyAsking& asking, const StopToken& stop);

}  // namespace natscope::reproduce
