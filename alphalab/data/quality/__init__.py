"""Quality of data: rules that find what makes a backtest wrong, and a verdict that is stated."""
