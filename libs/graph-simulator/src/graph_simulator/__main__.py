from graph_simulator.cli import app

if __name__ == "__main__":
    app()
