// SPDX-License-Identifier: GPL-3.0-or-later
// How long the window's own thread is busy with what a person does, on a recording of any size, made up without a model,
// or on a text that a model reads:
//   build/release/tests/bench_window_scale LAYERS KV_HEADS TOKENS
//   build/release/tests/bench_window_scale --model DIR --text FILE
// One line of JSON an action: the processor time of that thread until its events and pictures are done (the median and
// the worst of some repetitions), and the most that one event took. Processor time, so that a busy machine does not
// show. The last line is memory: what the recording's file holds, and what the process took at most.
#include <malloc.h>

#include <QApplication>
#include <QFileInfo>
#include <QHeaderView>
#include <QMouseEvent>
#include <QPointer>
#include <QScrollBar>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QWheelEvent>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/standard_streams.h"
#include "core/cache/held_tally.h"
#include "core/session/session_file.h"
#include "core/session/trace_file.h"
#include "tests/support/peak_memory.h"
#include "ui/main_window.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/cache_chart_view.h"
#include "ui/views/maps/role_map_view.h"
#include "ui/views/token_text_view.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr int patience = 900'000;
constexpr std::int32_t vocabulary = 4096;
constexpr std::int64_t windowTokens = 64;

double threadMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

/// Knows what the longest event took.
class TimedApplication : public QApplication {
 public:
  using QApplication::QApplication;

  bool notify(QObject* receiver, QEvent* event) override {
    if (depth_ > 0) return QApplication::notify(receiver, event);
    ++depth_;
    const double from = threadMs();
    const bool isDone = QApplication::notify(receiver, event);
    longest_ = std::max(longest_, threadMs() - from);
    --depth_;
    return isDone;
  }

  double takeLongest() { return std::exchange(longest_, 0); }

 private:
  int depth_ = 0;
  double longest_ = 0;
};

struct Heads {
  std::int32_t layers = 0;
  std::int32_t kvHeads = 0;
};

/// Every head with shares of roles of its own, drawn token by token; counts by the rules.
SequenceRecord madeUp(const Heads& heads, std::int32_t tokens) {
  SequenceRecord record(CacheGeometry{.layers = heads.layers, .kv_heads = heads.kvHeads, .head_dim = 64}, false,
                        windowTokens);
  const auto count = static_cast<std::size_t>(heads.layers) * static_cast<std::size_t>(heads.kvHeads);
  std::vector<HeldTally> tallies(count, HeldTally(windowTokens));
  std::uint64_t random = 88172645463325252ULL;
  const auto draw = [&random] {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    return static_cast<std::uint32_t>(random >> 32U);
  };
  std::vector<std::pair<std::uint32_t, std::uint32_t>> shares(
      count);  // of globals, and of globals and locals, in 2^-32
  for (auto& [global, local] : shares) {
    global = draw() >> 4U;
    local = global + (draw() >> 2U);
  }
  for (std::int32_t position = 0; position < tokens; ++position) {
    TokenFrame frame;
    frame.position = TokenPos(position);
    const double place = static_cast<double>(draw()) / 4294967296.0;
    frame.token = static_cast<std::int32_t>(place * place * place * vocabulary);  // few are frequent
    frame.roles.reserve(count);
    frame.entries.reserve(count);
    std::int64_t entries = 0;
    for (std::size_t head = 0; head < count; ++head) {
      const std::uint32_t at = draw();
      const Role role = position == 0 || at < shares[head].first ? Role::global
                        : at < shares[head].second               ? Role::local
                                                                 : Role::sliding;
      frame.roles.push_back(role);
      frame.entries.push_back(static_cast<std::int32_t>(tallies[head].add(role)));
      entries += frame.entries.back();
    }
    frame.counts =
        count_cache(record.geometry(), position + 1, entries, entries * record.geometry().entry_bytes(), std::nullopt);
    if (!record.append(std::move(frame))) std::abort();
  }
  return record;
}

class Measurement {
 public:
  explicit Measurement(TimedApplication& application) : application_(application) {}

  /// What `action` and all that follows from it at once keep the thread busy; `isDone` where it ends elsewhere.
  void take(const char* name, int times, const std::function<void(int)>& action,
            const std::function<bool()>& isDone = {}) {
    std::vector<double> busy;
    settle();
    application_.takeLongest();
    for (int time = 0; time < times; ++time) {
      const double from = threadMs();
      action(time);
      if (isDone && !QTest::qWaitFor(isDone, patience)) std::abort();
      settle();
      busy.push_back(threadMs() - from);
    }
    std::sort(busy.begin(), busy.end());
    std::printf("{\"action\": \"%s\", \"median_ms\": %.1f, \"worst_ms\": %.1f, \"longest_event_ms\": %.1f}\n", name,
                busy[busy.size() / 2], busy.back(), application_.takeLongest());
    std::fflush(stdout);
  }

  /// Until nothing is left to be done now; timers that wait are not waited for.
  void settle() const {
    for (int turn = 0; turn < 4; ++turn) {
      QCoreApplication::sendPostedEvents();
      QCoreApplication::processEvents();
    }
  }

 private:
  TimedApplication& application_;
};

void moveTo(QWidget* widget, QPointF at) {
  QMouseEvent event(QEvent::MouseMove, at, widget->mapToGlobal(at), Qt::NoButton, Qt::NoButton, Qt::NoModifier);
  QCoreApplication::sendEvent(widget, &event);
}

void turnWheel(QWidget* widget, QPointF at, int steps) {
  QWheelEvent event(at, widget->mapToGlobal(at), {}, {0, 120 * steps}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase,
                    false);
  QCoreApplication::sendEvent(widget, &event);
}

void lookAround(Measurement& measured, MainWindow& window) {
  auto* const text = window.findChild<TokenTextView*>();
  RoleMapView& map = window.roles().map();
  QWidget* plot = window.findChild<CacheChartView*>();
  for (QWidget* const part : plot->findChildren<QWidget*>()) {
    if (part->inherits("QCustomPlot")) plot = part;
  }
  Selection& selection = window.workbench().selection();
  const auto tokens = static_cast<std::int32_t>(window.workbench().sequence().size());
  measured.take("text: scroll", 20, [&](int time) {
    text->verticalScrollBar()->setValue(text->verticalScrollBar()->maximum() * (time + 1) / 20);
  });
  measured.take("text: point at a token", 20, [&](int time) { moveTo(text->viewport(), QPointF(40 + 9 * time, 60)); });
  measured.take("any view: choose a token", 20, [&](int time) { selection.pin(TokenPos(tokens / 20 * time)); });
  const QPointF middle(map.width() / 2.0, map.height() / 2.0);
  measured.take("role map: point at a token", 20, [&](int time) { moveTo(&map, middle + QPointF(7 * time, 3)); });
  measured.take("role map: zoom", 20, [&](int time) { turnWheel(&map, middle, time < 10 ? 2 : -1); });
  measured.take("role map: choose another head", 20, [&](int time) {
    selection.setLayer(LayerId(time % std::max(1, selection.layers())));
    selection.setKvHead(KvHeadId(time % std::max(1, selection.kvHeads())));
  });
  measured.take("KV chart: point at a step", 20,
                [&](int time) { moveTo(plot, QPointF(plot->width() / 2.0 + 5 * time, plot->height() / 2.0)); });
}

void searchAndHeads(Measurement& measured, MainWindow& window) {
  TokenSearch& search = window.workbench().search();
  measured.take("search: one digit", 6, [&](int time) { search.setText(QString::number(time % 10)); });
  measured.take("search: next", 10, [&](int) { search.next(); });
  measured.take("search: end", 1, [&](int) { search.setText({}); });
  measured.take("heads: show", 1, [&](int) { window.showHeads(); });
  auto& table = window.heads().table();
  measured.take("heads: sort", 6, [&](int time) { table.sortByColumn(time + 1, Qt::DescendingOrder); });
  measured.take("heads: next row", 10, [&](int) { QTest::keyClick(&table, Qt::Key_Down); });
}

void keepAndWrite(Measurement& measured, MainWindow& window, const QString& folder) {
  RoleMapView& map = window.roles().map();
  measured.take("keep this run", 1, [&](int) { window.comparison().keep(); });
  const QPointF middle(map.width() / 2.0, map.height() / 2.0);
  map.setShows(RoleMapShows::difference);
  measured.take("difference: point at a token", 10, [&](int time) { moveTo(&map, middle + QPointF(7 * time, 3)); });
  measured.take("difference: resize", 6, [&](int time) { window.resize(1500 - 20 * time, 930); });
  map.setShows(RoleMapShows::now);
  measured.take("drop the kept run", 1, [&](int) { window.comparison().drop(); });
  for (const FigureKind kind : {FigureKind::roles, FigureKind::kv, FigureKind::heads}) {
    ExportRequest request;
    request.kind = kind;
    const char* const name = kind == FigureKind::roles ? "export roles.png"
                             : kind == FigureKind::kv  ? "export kv.png"
                                                       : "export heads.csv";
    request.path = folder.toStdString() + "/" + std::string(name).substr(7);
    bool isDone = false;
    QObject context;
    const auto end = [&isDone] { isDone = true; };
    QObject::connect(&window.figureExport(), &FigureExport::written, &context, end);
    QObject::connect(&window.figureExport(), &FigureExport::failed, &context, [name, end](const Error& error) {
      std::printf("{\"refused\": \"%s\", \"why\": \"%s\"}\n", name, error.message.c_str());
      end();
    });
    measured.take(
        name, 1, [&](int) { window.figureExport().start(request); }, [&] { return isDone; });
  }
  measured.take("theme", 4, [&](int time) { window.setTheme(time % 2 == 0 ? Theme::dark : Theme::light); });
  measured.take("resize", 6, [&](int time) { window.resize(1560 - 30 * time, 980 - 10 * time); });
}

WindowStart startOf(const QString& model) {
  WindowStart start;
  start.engineCommand = {QStringLiteral(NATSCOPE_BIN_DIR "/natscope-engine")};
  start.device = QStringLiteral("cpu");
  start.prompt = QStringLiteral("Once upon a time");
  start.model = model;
  return start;
}

int measureModel(TimedApplication& application, const QString& model, const QString& text) {
  const QTemporaryDir folder;
  Settings settings(folder.filePath(QStringLiteral("settings.ini")));
  ThemeSwitch::instance().apply(application, Theme::light);
  MainWindow window(settings, startOf(model));
  window.resize(1560, 980);
  window.show();
  Measurement measured(application);
  Workbench& bench = window.workbench();
  if (!QTest::qWaitFor([&] { return bench.canAnalyse() && !bench.sequence().isEmpty(); }, patience)) return 3;
  const qint64 before = bench.sequence().size();
  measured.take(
      "read the text", 1, [&](int) { window.openText(text); },
      [&] { return bench.canAnalyse() && bench.sequence().size() > before; });
  const auto tokens = static_cast<std::int32_t>(bench.sequence().size());
  std::printf("{\"tokens\": %d}\n", tokens);
  const auto wait = [](int ms) { QTest::qWait(ms); };
  measured.take("first tiles", 1, [&](int) { wait(3000); });
  lookAround(measured, window);
  measured.take("who attends to a token", 3, [&](int time) {
    bench.selection().pin(TokenPos(tokens / 30 * time));
    wait(1500);
  });
  PromptOptions options = bench.options();
  options.maxNewTokens = 40;
  bench.setOptions(options);
  measured.take(
      "write 40 tokens", 1, [&](int) { bench.continueGenerating(); },
      [&] { return bench.canAnalyse() && bench.sequence().size() > tokens; });
  measured.take("keep this run", 1, [&](int) { window.comparison().keep(); });
  measured.take(
      "a token more than was kept", 1, [&](int) { bench.step(); },
      [&] { return bench.canAnalyse() && bench.sequence().size() > tokens + 40; });
  const QString session = folder.filePath(QStringLiteral("session.natscope"));
  measured.take(
      "save the session", 1, [&](int) { window.saveSession(session); }, [&] { return QFileInfo(session).size() > 0; });
  measured.take("open the session, for the engine, too", 1, [&](int) {
    window.openPath(session);
    wait(4000);
  });
  std::printf("{\"at_most_bytes\": %lld}\n", static_cast<long long>(test::peak_memory_bytes()));
  window.close();
  return 0;
}

int measure(TimedApplication& application, const Heads& heads, std::int32_t tokens) {
  const QTemporaryDir folder;
  const QString trace = folder.filePath(QStringLiteral("trace.safetensors"));
  const QString session = folder.filePath(QStringLiteral("session.natscope"));
  {
    Session made;
    made.record = madeUp(heads, tokens);
    made.prompt_tokens = tokens;
    for (std::int32_t token = 0; token < vocabulary; ++token) made.token_texts[token] = " w" + std::to_string(token);
    made.provenance.window = windowTokens;
    made.provenance.dtype = "float32";
    TraceContent content{.record = &made.record, .provenance = made.provenance, .prompt_tokens = tokens};
    const auto isTrace = write_trace(trace.toStdString(), content);
    const auto isSession = write_session(session.toStdString(), made);
    if (!isTrace || !isSession) return 3;
  }
  malloc_trim(0);  // what was made is not the window's
  test::forget_peak_memory();
  Settings settings(folder.filePath(QStringLiteral("settings.ini")));
  ThemeSwitch::instance().apply(application, Theme::light);
  MainWindow window(settings, startOf({}));
  window.resize(1560, 980);
  window.show();
  Measurement measured(application);
  Workbench& bench = window.workbench();
  if (!QTest::qWaitFor([&] { return bench.canAnalyse() && !bench.sequence().isEmpty(); }, patience)) return 3;
  const std::int64_t before = test::peak_memory_bytes();
  const auto isShown = [&] { return bench.sequence().size() == tokens; };
  measured.take(
      "open the trace", 1, [&](int) { window.openPath(trace); }, isShown);
  lookAround(measured, window);
  searchAndHeads(measured, window);
  keepAndWrite(measured, window, folder.path());
  const std::int64_t recorded = test::peak_memory_bytes();
  measured.take(
      "open the session", 1, [&](int) { window.openPath(session); }, [&] { return isShown() && !bench.recording(); });
  lookAround(measured, window);
  const QString again = folder.filePath(QStringLiteral("again.natscope"));
  measured.take(
      "save the session", 1, [&](int) { window.saveSession(again); }, [&] { return QFileInfo(again).size() > 0; });
  std::printf("{\"trace_bytes\": %lld, \"window_bytes\": %lld, \"with_trace_bytes\": %lld, \"at_most_bytes\": %lld}\n",
              static_cast<long long>(QFileInfo(trace).size()), static_cast<long long>(before),
              static_cast<long long>(recorded), static_cast<long long>(test::peak_memory_bytes()));
  window.close();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settle_standard_streams();
  qputenv("QT_QPA_PLATFORM", "offscreen");
  TimedApplication application(argc, argv);
  std::setlocale(LC_NUMERIC, "C");
  if (argc == 5 && std::strcmp(argv[1], "--model") == 0 && std::strcmp(argv[3], "--text") == 0)
    return measureModel(application, QString::fromLocal8Bit(argv[2]), QString::fromLocal8Bit(argv[4]));
  const Heads heads{argc > 3 ? std::atoi(argv[1]) : 0, argc > 3 ? std::atoi(argv[2]) : 0};
  const int tokens = argc > 3 ? std::atoi(argv[3]) : 0;
  if (heads.layers < 1 || heads.kvHeads < 1 || tokens < 1) {
    std::fputs("usage: bench_window_scale LAYERS KV_HEADS TOKENS | --model DIR --text FILE\n", stderr);
    return 2;
  }
  return measure(application, heads, tokens);
}
