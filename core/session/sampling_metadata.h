// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/expected.h"
#include "core/sampling/sampler.h"
#include "core/session/metadata_reader.h"
#include "core/session/provenance.h"

/// How tokens were chosen, as metadata: greedy, temperature, top_k, top_p, min_p, repetition_penalty. The seed has keys
/// of its own. Private to core/session.
namespace natscope::session {

/// The shortest digits that read back to the same number.
[[nodiscard]] std::string exact(double value);

void add_sampling(Metadata& metadata, const SamplingOptions& sampling);

/// With the seed of SamplingOptions{}. Errors: the reader's code (a key that is missing or malformed).
[[nodiscard]] Expected<SamplingOptions> read_sampling(const MetadataReader& in);

}  // namespace natscope::session
