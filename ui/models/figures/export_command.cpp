// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/export_command.h"

#include <QCoreApplication>
#include <QStringList>
#include <array>
#include <utility>

#include "core/cache/plan_check.h"
#include "core/cache/policy.h"
#include "core/export/data_files.h"
#include "core/jobs/job_spec.h"

namespace natscope::ui {
namespace {

bool isMap(FigureKind kind) { return kind == FigureKind::attention || kind == FigureKind::mask; }
bool hasWeights(FigureKind kind) { return kind == FigureKind::attention || kind == FigureKind::overview; }
/// A session's file does not do.
bool needsWeights(FigureKind kind) { return hasWeights(kind) || kind == FigureKind::statistics; }
bool hasColourMap(FigureKind kind) { return isMap(kind) || needsWeights(kind) || kind == FigureKind::heads; }

QString number(double value) { return QString::number(value, 'g', 10); }

/// A text that begins as a flag does would be taken for one.
void addText(QStringList& words, const QString& flag, const QString& text) {
  if (text.startsWith(u'-'))
    words << flag + u'=' + text;
  else
    words << flag << text;
}

/// What the runs of a comparison are called, but for empty ones at the end.
void addNames(QStringList& words, const QStringList& names) {
  qsizetype count = names.size();
  while (count > 0 && names[count - 1].isEmpty()) --count;
  for (qsizetype i = 0; i < count; ++i) addText(words, QStringLiteral("--label"), names[i]);
}

void addRange(QStringList& words, const FixedRange& range) {
  words << QStringLiteral("--range") << QString::fromStdString(range_text(range));
}

/// Numbers are normalised and lose the sink as figures do; scale and clip are about colours.
void addScale(QStringList& words, const ScaleOptions& scale, bool isDrawn, bool hasRows) {
  if (isDrawn && scale.kind == ScaleKind::log) words << QStringLiteral("--scale") << QStringLiteral("log");
  if (isDrawn && scale.range) {
    addRange(words, *scale.range);
  } else if (isDrawn && scale.clip_percentile != 100)
    words << QStringLiteral("--clip") << number(scale.clip_percentile);
  if (hasRows && scale.normalise == Normalise::row) words << QStringLiteral("--normalise") << QStringLiteral("row");
  if (scale.hide_sink) words << QStringLiteral("--hide-sink");
}

void addLook(QStringList& words, const FigureOptions& look, FigureKind kind, ExportFormat format) {
  if (look.title) addText(words, QStringLiteral("--title"), *look.title);
  if (look.fontSize != usualFontSize) words << QStringLiteral("--font-size") << number(look.fontSize);
  if (look.theme == Theme::dark) words << QStringLiteral("--theme") << QStringLiteral("dark");
  if (format == ExportFormat::png && look.dpi != 300) words << QStringLiteral("--dpi") << number(look.dpi);
  if (look.width > 0)
    words << QStringLiteral("--width") << number(look.width / pointsAMillimetre) + QStringLiteral("mm");
  if (look.cellPixels > 0) words << QStringLiteral("--cell") << QString::number(look.cellPixels);
  if (hasColourMap(kind) && look.colours != ColourMap::viridis)
    words << QStringLiteral("--colours") << QLatin1String(name(look.colours));
  if (kind == FigureKind::kv && look.cacheAsShare) words << QStringLiteral("--unit") << QStringLiteral("percent");
  if ((isMap(kind) || kind == FigureKind::roles) && look.texts != AxisTexts::automatic) {
    words << QStringLiteral("--axes")
          << (look.texts == AxisTexts::tokens ? QStringLiteral("tokens") : QStringLiteral("positions"));
  }
}

void addOrigin(QStringList& words, const ExportOrigin& origin, FigureKind kind) {
  if (!origin.file.isEmpty() && !(origin.isSession && needsWeights(kind))) {
    words << QStringLiteral("--from") << origin.file;
    return;
  }
  words << QStringLiteral("--model") << origin.model;
  if (!origin.adapter.isEmpty()) words << QStringLiteral("--adapter") << origin.adapter;
  if (origin.context > 0) words << QStringLiteral("--context") << QString::number(origin.context);
  if (!origin.device.isEmpty()) words << QStringLiteral("--device") << origin.device;
  if (!origin.dtype.isEmpty()) words << QStringLiteral("--dtype") << origin.dtype;
  if (origin.policy != QLatin1String("model")) words << QStringLiteral("--policy") << origin.policy;
  words << origin.roleOptions;
  if (origin.seed != 0) words << QStringLiteral("--seed") << QString::number(origin.seed);
  if (origin.prompt) {
    words << QStringLiteral("--prompt") << *origin.prompt;
    return;
  }
  QStringList ids;
  for (const std::int32_t token : origin.tokens) ids << QString::number(token);
  words << QStringLiteral("--tokens") << ids.join(u',');
}

/// What the command cannot have, as comments of a shell.
QString remarks(const ExportRequest& request, const ExportOrigin& origin) {
  QString lines;
  if (request.beside && origin.keptFile.isEmpty())
    lines += QCoreApplication::translate(
        "ExportCommand", "# Without the kept run, which is in no file: save it, then add --compare FILE\n");
  if (origin.hasUnnamedRoles)
    lines += QCoreApplication::translate(
        "ExportCommand", "# THIS-RUN.safetensors: what is shown, once it was saved as a session of that name\n");
  if (request.kind == FigureKind::kv && origin.file.isEmpty() && !origin.prompt)
    lines += QCoreApplication::translate(
        "ExportCommand",
        "# Reads all tokens as one prompt, of which allocated bytes are known at its end alone: save the session, and "
        "put --from FILE in place of model and tokens, for those of every step\n");
  return lines;
}

}  // namespace

ExportOrigin exportOrigin(Workbench& workbench, const QString& session) {
  ExportOrigin origin;
  if (const auto recording = workbench.recording()) {
    origin.file = QString::fromStdString(recording->path().string());
    return origin;
  }
  origin.file = session;
  origin.isSession = !session.isEmpty();
  EngineClient& client = workbench.client();
  origin.policy = QString::fromStdString(client.policy());
  const auto policy = parse_policy(client.policy());
  RoleChanges changes = workbench.analysedChanges();
  origin.seed = client.provenance().seed;
  origin.model = QString::fromStdString(client.shownModel());
  origin.adapter = QString::fromStdString(client.shownAdapter());
  origin.context = workbench.contextOf(origin.model);
  if (const auto& model = client.model()) {
    origin.device = QString::fromStdString(model->device);
    origin.dtype = QLatin1String(dtype_name(model->dtype));
  }
  const SequenceRecord& record = client.record();
  if (origin.isSession) {
    // The file knows what was set by hand before it was written; policies without roles measure again.
    changes = {};
    changes.window = record.window();
    changes.rolesFile = session;
  }
  if (policy && !has_roles(*policy)) changes = {};
  if (policy && changes.window && has_own_window(*policy)) {
    // The command line takes no W beside such a policy: there it is one of its numbers.
    Policy withWindow = *policy;
    withWindow.window = *std::exchange(changes.window, std::nullopt);
    origin.policy = QString::fromStdString(to_string(withWindow));
  }
  // Roles of a file that only a session's own file knows of: whoever saves this run as one puts its name here. Without
  // them the command would write another figure.
  origin.hasUnnamedRoles = changes.hadOtherRoles;
  if (changes.hadOtherRoles) changes.rolesFile = QStringLiteral("THIS-RUN.safetensors");
  origin.roleOptions = changes.commandWords();
  if (!origin.isSession && record.size() == client.promptTokens() && !workbench.analysedText().isEmpty()) {
    origin.prompt = workbench.analysedText();
  } else {
    for (const TokenFrame& frame : record.frames()) origin.tokens.push_back(frame.token);
  }
  return origin;
}

QString exportCommand(const ExportRequest& request, const ExportOrigin& origin, std::int64_t tokens) {
  QStringList words{QStringLiteral("natscope-cli"), QStringLiteral("export"),
                    QStringLiteral("--kind"),       QLatin1String(name(request.kind)),
                    QStringLiteral("--out"),        QString::fromStdString(request.path.string())};
  const bool isText = request.kind == FigureKind::text;
  if (isMap(request.kind) || request.one_head()) {
    words << QStringLiteral("--layer") << QString::number(request.map.layer.value) << QStringLiteral("--head")
          << QString::number(request.map.head.value);
  }
  const PositionRange all{0, static_cast<std::int32_t>(tokens)};
  if (isMap(request.kind) && request.queries != all)
    words << QStringLiteral("--queries") << QString::fromStdString(range_text(request.queries));
  if ((isMap(request.kind) || isText) && request.keys != all)
    words << QStringLiteral("--keys") << QString::fromStdString(range_text(request.keys));
  if (isText && request.text == TextColours::losses) words << QStringLiteral("--surprise");
  const auto format = export_format(request.path);
  const bool isDrawn = format && !is_data_format(*format);
  if (request.layer) words << QStringLiteral("--layer") << QString::number(request.layer->value);
  if (hasWeights(request.kind)) {
    addScale(words, request.options.scale, isDrawn, isMap(request.kind));
  } else if (isDrawn && request.options.scale.range && request.text == TextColours::losses)
    addRange(words, *request.options.scale.range);
  if (isDrawn) addLook(words, request.options, request.kind, *format);
  if (request.beside && !origin.keptFile.isEmpty()) {
    words << QStringLiteral("--compare") << origin.keptFile;
    if (isDrawn) addNames(words, request.options.names);
  }
  addOrigin(words, origin, request.kind);  // last: a text may be long
  for (QString& word : words) word = shellWord(word);
  return remarks(request, origin) + words.join(u' ');
}

QString shellWord(const QString& text) {
  return QString::fromStdString(jobs::shell_text(std::array{text.toStdString()}));
}

}  // namespace natscope::ui
