// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace natscope::ui {

/// What a model folder is called in the window: its name, and for what a job wrote the job's name with it
/// ("books, step 600" for …/books/exports/step-000600). Nothing is read.
[[nodiscard]] QString modelLabel(const QString& folder);

}  // namespace natscope::ui
