// SPDX-License-Identifier: GPL-3.0-or-later
#include <QFontDatabase>
#include <QGuiApplication>
#include <clocale>

#include "ui/figure/figure.h"
#include "ui/figure/own_fonts.h"

namespace natscope::ui {

Expected<void> prepareFigures() {
  if (QCoreApplication::instance() == nullptr) {
    // Qt keeps references to both for as long as the application lives.
    static int count = 1;
    static char programName[] = "natscope";
    static char* arguments[] = {programName, nullptr};
    qputenv("QT_QPA_PLATFORM", "offscreen");
    static QGuiApplication* const application = new QGuiApplication(count, arguments);
    Q_UNUSED(application);
    // Qt takes over the user's locale, in which a number may have a decimal comma.
    std::setlocale(LC_NUMERIC, "C");
  }
  if (qobject_cast<QGuiApplication*>(QCoreApplication::instance()) == nullptr) {
    return fail(ErrorCode::internal, "figures need a QGuiApplication, and another kind of application exists");
  }
  addOwnFonts();
  if (QFontDatabase::families().isEmpty()) {
    return fail(ErrorCode::io_failure, "no fonts were found for the labels of figures",
                "install a font, for example fonts-dejavu-core");
  }
  return {};
}

}  // namespace natscope::ui
