"""Indicators of chart analysis, composed of operators; a name is one readable formula."""

_MODULES = {
    "averages": "dema hull kama tema",
    "bands": "bollinger donchian keltner",
    "momentum": "cci macd roc stochastic stochastic_rsi trix true_strength williams_r",
    "trend": "adx aroon dmi heikin_ashi hurst ichimoku supertrend ts_resi ts_rsquare ts_slope",
    "volatility": (
        "garman_klass_volatility parkinson_volatility realised_volatility true_range "
        "yang_zhang_volatility"
    ),
    "volumes": ("accumulation_distribution adv chaikin_money_flow chaikin_oscillator mfi obv vwap"),
}

#: The module of each indicator.
HOME = {name: module for module, names in _MODULES.items() for name in names.split()}
