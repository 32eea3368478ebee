// SPDX-License-Identifier: GPL-3.0-or-later
// The window's program: flags, theme, window. Everything else is in ui/.
#include <QApplication>
#include <QCommandLineParser>
#include <QFileInfo>
#include <QProcess>
#include <QTimer>
#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/lost_file.h"
#include "core/base/standard_streams.h"
#include "ui/figure/own_fonts.h"
#include "ui/main_window.h"
#include "ui/theme/key_guard.h"
#include "ui/theme/theme.h"
#include "ui/theme/wheel_guard.h"
#include "ui/views/maps/map_frame_times.h"

namespace {

constexpr int screenshotPauseMs = 1500;
constexpr std::int64_t mostBenchTokens = std::int64_t{1} << 20U;

using natscope::Theme;

struct Flags {
  natscope::ui::WindowStart start;
  std::optional<Theme> theme;
  QString settings;
  QString screenshot;
};

/// Says what is wrong as natscope-cli does, in one line. Returns the exit code that belongs to it.
int tell(const natscope::Error& error) {
  std::fprintf(stderr, "%s\n", natscope::format_error_line(error).c_str());
  return natscope::exit_code(error.code);
}

[[noreturn]] void end(const natscope::Error& error) { natscope::end_process(tell(error)); }

[[noreturn]] void refuse(const QString& what) {
  end(natscope::make_error(natscope::ErrorCode::usage, what.toStdString(), "see natscope --help"));
}

void checkChoice(const QString& flag, const QString& value, const QStringList& choices) {
  if (choices.contains(value)) return;
  QStringList but = choices;
  const QString last = but.takeLast();
  refuse(QStringLiteral("--%1 takes %2 or %3, not \"%4\"").arg(flag, but.join(QStringLiteral(", ")), last, value));
}

/// The parser itself ends with code 1, and says nothing of which word is wrong where it shows its help instead.
void parse(QCommandLineParser& parser, const QApplication& application) {
  if (parser.parse(QApplication::arguments())) return parser.process(application);
  const QStringList unknown = parser.unknownOptionNames();
  if (!unknown.isEmpty()) refuse(QStringLiteral("there is no flag \"%1\"").arg(unknown.front()));
  QString words = parser.errorText();
  while (words.endsWith(u'.')) words.chop(1);
  refuse(words);
}

Flags readFlags(const QApplication& application) {
  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral("See which tokens a model keeps, and why."));
  parser.addHelpOption();
  parser.addVersionOption();
  const auto text = [](const char* words) { return QString::fromLatin1(words); };
  const QCommandLineOption model(text("model"), text("Model folder (default: the bundled demo)."), text("DIR"));
  const QCommandLineOption context(
      text("context"),
      text(
          "Longest text that the model reads; more than the original context takes a Phi-3's long factors (LongRoPE)."),
      text("TOKENS"));
  const QCommandLineOption device(text("device"), text("auto, cpu or cuda."), text("DEVICE"));
  const QCommandLineOption engine(
      text("engine"), text("Command line that starts the engine, for example \"ssh gpubox natscope-engine\"."),
      text("COMMAND"));
  const QCommandLineOption theme(text("theme"), text("light or dark."), text("THEME"));
  QCommandLineOption settings(text("settings"), text("Keep settings in this file."), text("FILE"));
  QCommandLineOption screenshot(
      text("screenshot"), text("Write a picture of the window when the demo is analysed, and quit."), text("FILE"));
  settings.setFlags(QCommandLineOption::HiddenFromHelp);
  screenshot.setFlags(QCommandLineOption::HiddenFromHelp);
  parser.addPositionalArgument(text("PATH"), text("A model folder, a session, trace or text file."), text("[PATH]"));
  parser.addOptions({model, context, device, engine, theme, settings, screenshot});
  parse(parser, application);

  const QString named = parser.value(device);
  const QString shade = parser.value(theme);
  if (parser.isSet(device)) checkChoice(text("device"), named, {text("auto"), text("cpu"), text("cuda")});
  bool isNumber = true;
  const int tokens = parser.isSet(context) ? parser.value(context).toInt(&isNumber) : 0;
  if (!isNumber || (parser.isSet(context) && tokens < 1))
    refuse(QStringLiteral("--context takes a number of tokens, not \"%1\"").arg(parser.value(context)));
  if (parser.isSet(theme)) checkChoice(text("theme"), shade, {text("light"), text("dark")});
  if (parser.positionalArguments().size() > 1) {
    refuse(QStringLiteral("one PATH is opened, and \"%1\" is a second one").arg(parser.positionalArguments().at(1)));
  }
  // A script's --model "$UNSET" must not be the demo.
  for (const QCommandLineOption& option : {model, engine}) {
    if (parser.isSet(option) && parser.value(option).isEmpty())
      refuse(QStringLiteral("--%1 is empty").arg(option.names().constFirst()));
  }
  if (parser.positionalArguments().contains(QString())) refuse(QStringLiteral("PATH is empty"));
  Flags flags;
  flags.start.model = parser.value(model);
  const QString path = parser.positionalArguments().value(0);
  if (!path.isEmpty() && !QFileInfo::exists(path)) {
    // A slip in a terminal is answered there; what cannot be read is said in the window.
    end(natscope::make_error(natscope::ErrorCode::file_not_found, "there is no file “" + path.toStdString() + "”"));
  }
  if (QFileInfo(path).isDir()) {
    if (parser.isSet(model)) refuse(QStringLiteral("--model and PATH both name a model's folder"));
    flags.start.model = path;
  } else {
    flags.start.session = path;
  }
  flags.start.device = named;
  flags.start.context = tokens;
  flags.start.engineCommand = QProcess::splitCommand(parser.value(engine));
  if (!shade.isEmpty()) flags.theme = shade == text("dark") ? Theme::dark : Theme::light;
  flags.settings = parser.value(settings);
  flags.screenshot = parser.value(screenshot);
  return flags;
}

/// `--bench-frame TOKENS`: frames of the attention map, drawn into memory. One line of JSON on stdout.
int benchFrames(std::int64_t tokens) {
  constexpr int runs = 3;
  constexpr int framesPerRun = 400;
  std::vector<double> percentiles;
  for (int run = 0; run < runs; ++run) {
    std::vector<double> times = natscope::ui::measureMapFrames(tokens, framesPerRun);
    std::sort(times.begin(), times.end());
    percentiles.push_back(times[times.size() * 95 / 100]);
  }
  std::sort(percentiles.begin(), percentiles.end());
  const double middle = percentiles[runs / 2];
  std::printf("{\"p95_ms\": %.4f, \"frames\": %d, \"spread\": %.4f}\n", middle, runs * framesPerRun,
              (percentiles.back() - percentiles.front()) / middle);
  return 0;
}

bool hasFlag(int argc, char** argv, std::initializer_list<const char*> names) {
  return std::any_of(argv + 1, argv + argc, [&](const char* argument) {
    return std::any_of(names.begin(), names.end(), [&](const char* name) { return std::strcmp(argument, name) == 0; });
  });
}

[[noreturn]] void endWithoutDisplay() {
  end(natscope::make_error(natscope::ErrorCode::device_unavailable, "there is no display for the window",
                           "run natscope-cli generate --live, or set DISPLAY"));
}

/// Without a display Qt would abort; the person is told what to do instead.
bool hasDisplay(int argc, char** argv) {
  // Set to nothing, as a script clears it, a variable names no display.
  return !qEnvironmentVariableIsEmpty("DISPLAY") || !qEnvironmentVariableIsEmpty("WAYLAND_DISPLAY") ||
         !qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM") || hasFlag(argc, argv, {"-platform", "--platform"});
}

/// The same where a display is named and does not answer, which only Qt finds out.
void passOnUntilFatal(QtMsgType type, const QMessageLogContext& context, const QString& text) {
  std::fprintf(stderr, "%s\n", qUtf8Printable(qFormatLogMessage(type, context, text)));
  if (type != QtFatalMsg) return;
  endWithoutDisplay();
}

}  // namespace

int main(int argc, char** argv) {
  natscope::settle_standard_streams();
  natscope::end_with_a_word_on_lost_files();
  const bool isBench = argc == 3 && std::strcmp(argv[1], "--bench-frame") == 0;
  if (isBench || hasFlag(argc, argv, {"-h", "--help", "-v", "--version"})) qputenv("QT_QPA_PLATFORM", "offscreen");
  if (!hasDisplay(argc, argv)) endWithoutDisplay();
  qInstallMessageHandler(passOnUntilFatal);
  QApplication application(argc, argv);
  qInstallMessageHandler(nullptr);
  // Qt takes over the user's locale; numbers in files and messages keep their decimal point.
  std::setlocale(LC_NUMERIC, "C");
  QApplication::setApplicationName(QStringLiteral("natscope"));
  QApplication::setApplicationDisplayName(QStringLiteral("NAtScope"));
  QApplication::setApplicationVersion(QStringLiteral(NATSCOPE_VERSION));
  // The icon of the running window is found through the file that the menu knows it by.
  QApplication::setDesktopFileName(QStringLiteral("natscope"));
  natscope::ui::addOwnFonts();

  if (isBench) {
    const std::int64_t tokens = std::atoll(argv[2]);
    if (tokens < 1 || tokens > mostBenchTokens)
      refuse(QStringLiteral("--bench-frame takes 1 to %1 tokens").arg(mostBenchTokens));
    return benchFrames(tokens);
  }
  const Flags flags = readFlags(application);
  natscope::ui::Settings settings(flags.settings);
  natscope::ui::ThemeSwitch::instance().apply(application, flags.theme.value_or(settings.theme()));
  natscope::ui::WheelGuard::install(application);
  natscope::ui::KeyGuard::install(application);
  natscope::ui::MainWindow window(settings, flags.start);
  window.show();
  if (!flags.screenshot.isEmpty()) {
    QObject::connect(&window, &natscope::ui::MainWindow::firstPicture, &window, [&window, path = flags.screenshot] {
      QTimer::singleShot(screenshotPauseMs, &window, [&window, path] {
        const bool isWritten = window.grab().save(path);
        window.close();
        QApplication::exit(isWritten ? 0
                                     : tell(natscope::make_error(natscope::ErrorCode::io_failure,
                                                                 "cannot write the picture " + path.toStdString())));
      });
    });
  }
  return QApplication::exec();
}
