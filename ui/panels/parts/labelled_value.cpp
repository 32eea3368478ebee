// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/labelled_value.h"

#include "ui/theme/theme.h"

namespace natscope::ui {

QString labelledValue(const QString& label, const QString& value) {
  const QString muted = ThemeSwitch::instance().colours().muted.name();
  return QStringLiteral("<span style='color:%1'>%2</span>&nbsp;<b>%3</b>")
      .arg(muted, label.toHtmlEscaped(), value.toHtmlEscaped().replace(u' ', QStringLiteral("&nbsp;")));
}

}  // namespace natscope::ui
