// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/settings.h"

#include <QStandardPaths>
#include <algorithm>

namespace natscope::ui {
namespace {

constexpr qsizetype keptModels = 8;

QString themeKey() { return QStringLiteral("theme"); }
QString engineKey() { return QStringLiteral("engine"); }
QString recentKey() { return QStringLiteral("recentModels"); }
QString deviceKey() { return QStringLiteral("device"); }
QString exportKey() { return QStringLiteral("exportFolder"); }
QString geometryKey() { return QStringLiteral("geometry"); }
QString stateKey() { return QStringLiteral("state"); }
QString splitterKey(const QString& name) { return QStringLiteral("splitter/") + name; }

}  // namespace

Settings::Settings(const QString& file)
    : store_(file.isEmpty() ? std::make_unique<QSettings>(QStringLiteral("NAtScope"), QStringLiteral("natscope"))
                            : std::make_unique<QSettings>(file, QSettings::IniFormat)),
      lastRunPath_(file.isEmpty() ? QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) +
                                        QStringLiteral("/natscope/last-run.safetensors")
                                  : file + QStringLiteral(".last-run.safetensors")) {}

QString Settings::lastRunPath() const { return lastRunPath_; }

Theme Settings::theme() const {
  return store_->value(themeKey()).toString() == QLatin1String("dark") ? Theme::dark : Theme::light;
}
void Settings::setTheme(Theme theme) {
  store_->setValue(themeKey(), theme == Theme::dark ? QStringLiteral("dark") : QStringLiteral("light"));
}

QStringList Settings::engineCommand() const { return store_->value(engineKey()).toStringList(); }
QString Settings::engineCommandLine() const {
  QStringList words;
  for (QString word : engineCommand()) {
    const bool isPlain = std::none_of(word.begin(), word.end(), [](QChar letter) { return letter.isSpace(); });
    word.replace(u'"', QStringLiteral("\"\"\""));
    words << (isPlain ? word : QStringLiteral("\"%1\"").arg(word));
  }
  return words.join(u' ');
}

void Settings::setEngineCommand(const QStringList& command) { store_->setValue(engineKey(), command); }

QStringList Settings::recentModels() const { return store_->value(recentKey()).toStringList().mid(0, keptModels); }

void Settings::addRecentModel(const QString& folder) {
  QStringList models = recentModels();
  models.removeAll(folder);
  models.prepend(folder);
  store_->setValue(recentKey(), models.mid(0, keptModels));
}

QString Settings::device() const {
  const QString device = store_->value(deviceKey()).toString();
  return device == QLatin1String("cpu") || device == QLatin1String("cuda") ? device : QStringLiteral("auto");
}
void Settings::setDevice(const QString& device) { store_->setValue(deviceKey(), device); }

QString Settings::lastFolder() const { return store_->value(exportKey()).toString(); }
void Settings::setLastFolder(const QString& folder) { store_->setValue(exportKey(), folder); }

QByteArray Settings::windowGeometry() const { return store_->value(geometryKey()).toByteArray(); }
QByteArray Settings::windowState() const { return store_->value(stateKey()).toByteArray(); }
QByteArray Settings::splitter(const QString& name) const { return store_->value(splitterKey(name)).toByteArray(); }
void Settings::setSplitter(const QString& name, const QByteArray& state) { store_->setValue(splitterKey(name), state); }

void Settings::setWindow(const QByteArray& geometry, const QByteArray& state) {
  store_->setValue(geometryKey(), geometry);
  store_->setValue(stateKey(), state);
}

}  // namespace natscope::ui
