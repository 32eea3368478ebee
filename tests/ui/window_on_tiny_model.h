// SPDX-License-Identifier: GPL-3.0-or-later
/// What tests of the window begin with: a small random model in a folder of their own, and the window on it.
#pragma once

#include <QApplication>
#include <QDragEnterEvent>
#include <QFile>
#include <QMimeData>
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <memory>

#include "tests/support/tiny_model.h"
#include "tests/ui/patience.h"
#include "ui/main_window.h"
#include "ui/theme/theme.h"

namespace natscope::ui {

/// Its files go with it. The including source stands under RUNS in CMakeLists.txt, since the engine is one of our
/// programs.
class WindowOnTinyModel {
 public:
  static constexpr const char* alice = "Oh, you wicked little thing! cried Alice.";

  explicit WindowOnTinyModel(const nlohmann::json& generation = {}) {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    test::TinyModel model(nlohmann::json{{"max_position_embeddings", 256}});
    model.generation = generation;
    const std::filesystem::path folder = modelFolder().toStdString();
    std::filesystem::create_directories(folder);
    model.write(folder);
  }

  [[nodiscard]] QString modelFolder() const { return filePath(QStringLiteral("model")); }
  /// A path in the test's own folder.
  [[nodiscard]] QString filePath(const QString& name) const { return folder_.filePath(name); }
  /// The model's chat template from the next opening on, with "\\n" for a line break that it writes; empty: it has
  /// none.
  void setChatTemplate(QString source) const {
    QFile file(modelFolder() + QStringLiteral("/chat_template.jinja"));
    if (source.isEmpty()) {
      file.remove();
      return;
    }
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(source.replace(QStringLiteral("\\n"), QStringLiteral("{{ '\\n' }}")).toUtf8());
  }
  [[nodiscard]] Settings& settings() const { return *settings_; }
  /// How many times settings were new: what a file of one test may carry in its name.
  [[nodiscard]] int runs() const { return runs_; }

  /// Settings as on the first day.
  void forget() { settings_ = std::make_unique<Settings>(filePath(QStringLiteral("settings-%1.ini").arg(++runs_))); }
  /// The window, not shown yet; an empty prompt is the bundled sample text. `file`: as on the command line.
  [[nodiscard]] std::unique_ptr<MainWindow> make(const QString& prompt, const QString& file = {}) const {
    WindowStart start;
    start.session = file;
    start.model = modelFolder();
    start.device = QStringLiteral("cpu");
    start.engineCommand = {QStringLiteral(NATSCOPE_BIN_DIR "/natscope-engine")};
    start.jobProgram = QStringLiteral(NATSCOPE_BIN_DIR "/natscope-cli");
    start.prompt = prompt;
    return std::make_unique<MainWindow>(*settings_, start);
  }
  /// The window shown and active, its text read; null where that does not come about.
  [[nodiscard]] std::unique_ptr<MainWindow> makeRead(const QString& prompt) const {
    auto window = make(prompt);
    window->resize(1300, 850);
    window->show();
    window->activateWindow();
    const auto isRead = [&bench = window->workbench()] { return bench.canContinue() && bench.sequence().size() > 5; };
    if (!QTest::qWaitForWindowActive(window.get()) || !QTest::qWaitFor(isRead, patience)) return nullptr;
    return window;
  }

 private:
  QTemporaryDir folder_;
  std::unique_ptr<Settings> settings_;
  int runs_ = 0;
};

/// A file, dragged onto a widget and let go of there.
inline void dropFile(QWidget* target, const QString& path) {
  QMimeData data;
  data.setUrls({QUrl::fromLocalFile(path)});
  QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(target, &enter);
  QVERIFY(enter.isAccepted());
  QDropEvent event(QPointF(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(target, &event);
}

/// What a test of the window is made of: each of its cases begins with a window, and ends it.
class WindowTest : public QObject {
 protected:
  /// `generation`: the model's generation_config.json.
  explicit WindowTest(const nlohmann::json& generation = {}) : tiny_(generation) {}

  /// A window that has read the prompt, with settings as on the first day. False where that does not come about.
  [[nodiscard]] bool begin(const QString& prompt = QLatin1String(WindowOnTinyModel::alice)) {
    tiny_.forget();
    window_ = tiny_.makeRead(prompt);
    return window_ != nullptr;
  }
  void end() {
    if (window_) window_->close();
    window_.reset();
  }
  [[nodiscard]] Workbench& bench() { return window_->workbench(); }

  WindowOnTinyModel tiny_;
  std::unique_ptr<MainWindow> window_;
};

}  // namespace natscope::ui
