// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPaintDevice>
#include <QPaintEngine>
#include <QStringList>
#include <QWidget>

namespace natscope::ui {

/// Takes what is drawn on it and keeps its words alone, for views that write them with a painter.
///
///   PaintedWords words(panel);
///   QVERIFY(words.all().contains("held by 99.7 %"));
class PaintedWords : public QPaintDevice {
 public:
  explicit PaintedWords(QWidget& widget) : size_(widget.size()) { widget.render(this); }

  /// As they were drawn: a line that is broken in two is two.
  [[nodiscard]] const QStringList& all() const { return engine_.words; }

  [[nodiscard]] QPaintEngine* paintEngine() const override { return &engine_; }

 protected:
  [[nodiscard]] int metric(PaintDeviceMetric metric) const override {
    switch (metric) {
      case PdmWidth:
        return size_.width();
      case PdmHeight:
        return size_.height();
      case PdmDepth:
        return 32;
      case PdmDpiX:
      case PdmDpiY:
      case PdmPhysicalDpiX:
      case PdmPhysicalDpiY:
        return 96;
      default:
        return QPaintDevice::metric(metric);
    }
  }

 private:
  struct Engine : QPaintEngine {
    Engine() : QPaintEngine(AllFeatures) {}
    bool begin(QPaintDevice*) override { return true; }
    bool end() override { return true; }
    void updateState(const QPaintEngineState&) override {}
    void drawPixmap(const QRectF&, const QPixmap&, const QRectF&) override {}
    void drawPath(const QPainterPath&) override {}
    void drawPolygon(const QPointF*, int, PolygonDrawMode) override {}
    void drawTextItem(const QPointF&, const QTextItem& item) override { words << item.text(); }
    [[nodiscard]] Type type() const override { return User; }
    QStringList words;
  };

  QSize size_;
  mutable Engine engine_;
};

}  // namespace natscope::ui
