// SPDX-License-Identifier: GPL-3.0-or-later
/// A model of a study on the study's segments, through the engine and its cache. Private to core/reproduce.
#pragma once

#include <span>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/reproduce/study_row.h"
#include "core/reproduce/study_texts.h"

namespace natscope {
class Engine;
}

namespace natscope::reproduce {

/// Fills in what is measured; what the row is of stays open. Errors: as score_segment.
[[nodiscard]] Expected<StudyRow> score_model(Engine& engine, std::span<const ScoredSegment> segments,
                                             const Policy& policy, const StopToken& stop);

}  // namespace natscope::reproduce
