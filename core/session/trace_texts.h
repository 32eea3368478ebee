// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "core/session/provenance.h"
#include "core/session/token_names.h"

/// How a trace's tokens read, as two strings of its metadata, so that it needs no model to be read:
///   token_texts  a JSON array of T strings: what each token adds to the text
///   token_names  a JSON object: names of the tokens that add nothing, by their id ("1": "<s>")
/// They are no part of what a figure says of its origin. Private to core/session.
namespace natscope::session {

struct TokenTexts {
  std::vector<std::string> texts;             ///< [T]; empty where the file holds none
  std::map<std::int32_t, std::string> names;  ///< of tokens whose text is empty
};

/// Adds the keys; nothing where they would be longer than a reader takes. `name_of` may be unset: no names then.
void add_token_texts(Metadata& metadata, const SequenceRecord& record, const TokenNames& name_of);

/// Nothing where there are none: in traces of earlier versions, and of texts too long for it.
/// Errors: bad_trace (not as above, more than 16 MiB, not one text a token).
[[nodiscard]] Expected<TokenTexts> read_token_texts(const Metadata& metadata, std::int64_t tokens);

}  // namespace natscope::session
