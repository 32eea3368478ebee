// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/expected.h"
#include "core/export/figure_data.h"
#include "core/export/number_text.h"

/// A figure's numbers in each format, piece by piece. Private to core/export.
namespace natscope {

/// Whether a file of roles also says what is held: where there are no roles.
[[nodiscard]] bool tells_held(const FigureData& figure, const RoleMap& map);

[[nodiscard]] Expected<void> write_npy(const FigureData& figure, const TextSink& sink);
[[nodiscard]] Expected<void> write_csv(const FigureData& figure, const TextSink& sink);
[[nodiscard]] Expected<void> write_json(const FigureData& figure, const TextSink& sink);

}  // namespace natscope
