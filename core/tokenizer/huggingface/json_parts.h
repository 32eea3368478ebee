// SPDX-License-Identifier: GPL-3.0-or-later
/// Reading the parts that a tokenizer.json is put together from. Private to core/io.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope {

/// "type" of a part, an object. `what`: for people. Errors of all: bad_tokenizer.
[[nodiscard]] Expected<std::string> type_of(const nlohmann::json& json, const char* what);
[[nodiscard]] Expected<std::string> text_of(const nlohmann::json& json, const char* key);
/// `otherwise` where the key is missing or null.
[[nodiscard]] Expected<bool> flag_of(const nlohmann::json& json, const char* key, bool otherwise);
/// The parts of a "Sequence", which may hold others, eight deep.
[[nodiscard]] Expected<const nlohmann::json*> sequence_of(const nlohmann::json& json, const char* key, int depth);
/// "pattern": {"String": …}, not empty. Errors: unsupported_tokenizer of {"Regex": …}.
[[nodiscard]] Expected<std::string> literal_of(const nlohmann::json& json);

/// Whether that is the id of one of so many pieces. Some ids may stand for none; a table by id must not be made of
/// them.
[[nodiscard]] bool is_piece_id(const nlohmann::json& id, std::size_t pieces);

/// Longer pieces are refused: every token of a text may be this one.
inline constexpr std::size_t longest_piece = 8192;
/// Files in use have one of three or four; each costs time with every text.
inline constexpr std::size_t most_parts = 64;
/// bad_tokenizer.
[[nodiscard]] Unexpected too_many_parts(const char* what);

/// The error of a part that is known to the file's library and not done here: unsupported_tokenizer.
[[nodiscard]] Unexpected not_done(const char* what, std::string_view which);

}  // namespace natscope
