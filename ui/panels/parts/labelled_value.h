// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace natscope::ui {

/// "label value" for a QLabel: the label muted, the value bold, in the theme in force. Neither is read as HTML.
[[nodiscard]] QString labelledValue(const QString& label, const QString& value);

}  // namespace natscope::ui
