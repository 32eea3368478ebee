// SPDX-License-Identifier: GPL-3.0-or-later
/// Documents for fine-tuning: text files, or lines of JSON, as tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/io/model_folder.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/text/document.h"

namespace natscope::train {

/// How text becomes documents.
struct DocumentForm {
  const Tokenizer* tokenizer = nullptr;
  std::optional<std::int32_t> bos;      ///< in front of every document
  std::int64_t length = 0;              ///< longest document, tokens, >= 2
  const ModelFolder* folder = nullptr;  ///< whose chat template conversations are written with; null: there are none
};

/// A folder's *.txt files or one of them: each cut into documents of `length` tokens, a rest under 16 tokens left out.
/// A *.jsonl file: one document a line, an object with `text`, or with `prompt` and `answer`, where only the
/// positions that predict the answer count in the loss, or with `messages` (objects with `role` and `content`), which
/// the model's chat template writes and of which what the assistant said counts, with the marks that end it. What is
/// longer than `length` loses its end; of a prompt and an answer the prompt loses its beginning, down to half of
/// `length`, and then the answer its end. A template that writes the date is told SOURCE_DATE_EPOCH, or one day for all
/// runs. Other keys are passed over; empty lines, too. Errors: bad_data (naming file and line: no JSON object, no such
/// text, not UTF-8, nothing left), interrupted, those of reading files, those of ChatForm::of.
[[nodiscard]] Expected<std::vector<Document>> read_documents(const std::filesystem::path& path,
                                                             const DocumentForm& form, const StopToken& stop);

}  // namespace natscope::train
