// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/prepare_figures.h"

#include <QFontDatabase>
#include <QGuiApplication>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/atomic_file.h"
#include "ui/figure/own_fonts.h"

namespace natscope::ui {
namespace {

/// Where Qt cannot begin it ends the program, for want of descriptors or of its plugin: then with a line that says so.
void endByContract(QtMsgType type, const QMessageLogContext&, const QString& message) {
  if (type != QtFatalMsg) return;
  const QByteArray first = message.section(QLatin1Char('\n'), 0, 0).toUtf8();
  const Error error =
      make_error(ErrorCode::io_failure, "figures cannot be drawn: " + printable(std::string(first.constData())),
                 "write npy, csv or json, or look at Qt's installation and the limits of this shell");
  std::fprintf(stderr, "%s\n", format_error_line(error).c_str());
  abandon_unfinished_files();
  std::_Exit(exit_code(error.code));
}

}  // namespace

Expected<void> prepareFigures() {
  if (QCoreApplication::instance() == nullptr) {
    // Qt keeps references to both for as long as the application lives.
    static int count = 1;
    static char programName[] = "natscope";
    static char* arguments[] = {programName, nullptr};
    qputenv("QT_QPA_PLATFORM", "offscreen");
    const auto before = qInstallMessageHandler(endByContract);
    static QGuiApplication* const application = new QGuiApplication(count, arguments);
    Q_UNUSED(application);
    qInstallMessageHandler(before);
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
